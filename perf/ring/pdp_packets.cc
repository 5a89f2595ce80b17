#include "perf/ring/pdp_packets.h"

#include <rte_mbuf.h>

#include "base/check.h"

namespace penstock::ring {
namespace {

constexpr std::size_t kHeads = 14 + 20 + 8;  // Ethernet, IPv4, UDP
constexpr std::size_t kChecksumAt = kHeads - 2;
constexpr std::size_t kSequenceAt = kHeads + sizeof(pdp::FrameHeader);
constexpr std::string_view kSubject = "metrics.host1.cpu";
constexpr std::string_view kName = "ring";
constexpr unsigned kBuffers = 512;  // of answers

client::SessionOptions session_options(const PdpShape& shape) {
  client::SessionOptions options;
  options.name = std::as_bytes(std::span(kName));
  options.level = shape.level;
  options.frames = 4;
  options.linger_ns = 0;
  options.path = {.frame_bytes_first = shape.frame_bytes, .frame_bytes_max = shape.frame_bytes};
  return options;
}

std::uint32_t sum_of(std::uint64_t words) {
  std::uint32_t sum = 0;
  for (int i = 0; i < 4; ++i, words >>= 16U) sum += static_cast<std::uint16_t>(words);
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>((sum & 0xFFFFU) + (sum >> 16U));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

PdpPackets::PdpPackets(const PdpShape& shape, unsigned count, Clock& clock)
    : shape_(shape),
      count_(count),
      clock_(clock),
      rng_(Rng::from_kernel()),
      core_(session_options(shape), *this, rng_),
      pool_(rte_pktmbuf_pool_create("answers", kBuffers, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM,
                                    SOCKET_ID_ANY)) {
  CHECK(pool_ != nullptr);
  core_.open(clock_.monotonic_now(), client::Path::kAnother);
}

PdpPackets::~PdpPackets() { rte_mempool_free(pool_); }

rte_mbuf* PdpPackets::buffer() { return rte_pktmbuf_alloc(pool_); }

void PdpPackets::on_event(client::SessionEvent event) {
  if (event == client::SessionEvent::kOpened) opened_ = true;
}

std::uint16_t PdpPackets::transmit(std::span<rte_mbuf*> packets) {
  for (rte_mbuf* packet : packets) {
    if (!is_open()) {
      core_.receive(
          {rte_pktmbuf_mtod_offset(packet, const std::byte*, kHeads), packet->pkt_len - kHeads},
          clock_.monotonic_now());
    }
    rte_pktmbuf_free(packet);
  }
  return static_cast<std::uint16_t>(packets.size());
}

// The session's own first frame is what goes round.
void PdpPackets::make_frame() {
  const std::vector<std::byte> payload(shape_.message_bytes, std::byte{'x'});
  const MonotonicNanos now = clock_.monotonic_now();
  std::array<client::SessionCore::Datagram, 64> out;
  const std::size_t first =
      pdp::kDataHeadBytes + message_bytes(kSubject.size(), 0, 0, payload.size());
  const std::size_t more = (shape_.frame_bytes - first) / message_bytes(0, 0, 0, payload.size());
  for (std::size_t i = 0; i <= more; ++i) {
    CHECK(core_.append({.subject = kSubject, .payload = payload}, 0, now) ==
          client::Appended::kDone);
  }
  CHECK_EQ(core_.poll(out, now), 1U);
  const auto body = load<pdp::DataBody>(out[0], sizeof(pdp::FrameHeader));
  CHECK(load<pdp::FrameHeader>(out[0]).type == pdp::FrameType::kData);
  messages_ = body.message_count;
  sequence_ = body.sequence;
  auto packet = packet_of(text_of(out[0]), kPdpPort);
  const auto checksum = load<std::uint16_t>(packet, kChecksumAt);
  sum_ = static_cast<std::uint16_t>(~checksum);
  // Without the sequence: one's complement, so that taking away is adding the complement.
  sum_ += sum_of(~load<std::uint64_t>(packet, kSequenceAt));
  looped_ = std::make_unique<LoopedPackets>(packet, count_);
}

void PdpPackets::number(rte_mbuf& packet) {
  const std::span frame(rte_pktmbuf_mtod(&packet, std::byte*), packet.data_len);
  const std::uint16_t checksum = static_cast<std::uint16_t>(~folded(sum_ + sum_of(sequence_)));
  store(frame, kSequenceAt, sequence_);
  store(frame, kChecksumAt, checksum == 0 ? std::uint16_t{0xFFFF} : checksum);
  sequence_ += messages_;
}

std::uint16_t PdpPackets::receive(std::span<rte_mbuf*> packets) {
  if (opened_ && !is_open()) make_frame();
  if (is_open()) {
    const std::uint16_t count = looped_->receive(packets);
    for (rte_mbuf* packet : packets.first(count)) number(*packet);
    received_ += count;
    return count;
  }
  std::array<client::SessionCore::Datagram, 16> out;
  const std::size_t count = core_.poll(out, clock_.monotonic_now());
  for (std::size_t i = 0; i < count; ++i) {
    const auto frame = packet_of(text_of(out[i]), kPdpPort);
    packets[i] = buffer();
    CHECK(packets[i] != nullptr);
    std::memcpy(rte_pktmbuf_append(packets[i], static_cast<std::uint16_t>(frame.size())),
                frame.data(), frame.size());
  }
  return static_cast<std::uint16_t>(count);
}

}  // namespace penstock::ring
