#include "perf/blast/generator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "base/check.h"
#include "dataplane/port/quiescence.h"

namespace penstock::blast {
namespace {

constexpr std::size_t kBuffersLeast = 4096;    // more than any transmit queue holds
constexpr std::uint64_t kPatienceSeconds = 5;  // with a receiver that takes nothing
constexpr unsigned kPoller = 0;
constexpr std::uint64_t kUdpHeader = 8;

}  // namespace

void Sent::add(const PacketTemplate& made) {
  const std::uint64_t payload = made.bytes.size() - made.udp_at - kUdpHeader;
  ++packets;
  packet_bytes += made.bytes.size();
  messages += made.stamps.size();
  message_bytes += payload - made.newlines;
}

Result<std::unique_ptr<Generator>> Generator::make(const Options& options,
                                                   std::vector<PacketTemplate> templates,
                                                   std::optional<PacketTemplate> rest,
                                                   PortQueue& queue) {
  std::unique_ptr<Generator> made(
      new Generator(options, std::move(templates), std::move(rest), queue));
  if (!made->fill_pool()) {
    return fail(Errc::kNoSpace,
                fmt::format("no memory for {} packets of {} bytes: {}; lower --sources or --size",
                            std::max(kBuffersLeast, made->templates_.size()),
                            made->templates_.front().bytes.size(), rte_strerror(rte_errno)));
  }
  return made;
}

bool Generator::fill_pool() {
  const std::size_t bytes = templates_.front().bytes.size();
  const std::size_t count = std::max(kBuffersLeast, templates_.size());
  pool_ = rte_pktmbuf_pool_create("blast", static_cast<unsigned>(count + 1), 0, 0,
                                  static_cast<std::uint16_t>(bytes + RTE_PKTMBUF_HEADROOM), 0);
  if (pool_ == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) add_buffer(templates_[i % templates_.size()]);
  return true;
}

void Generator::add_buffer(const PacketTemplate& made) {
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  CHECK(packet != nullptr);  // the pool has as many
  std::memcpy(rte_pktmbuf_mtod(packet, void*), made.bytes.data(), made.bytes.size());
  packet->data_len = static_cast<std::uint16_t>(made.bytes.size());
  packet->pkt_len = packet->data_len;
  buffers_.push_back({packet, &made});
}

Generator::~Generator() {
  for (const Buffer& buffer : buffers_) rte_pktmbuf_free(buffer.packet);
  rte_mempool_free(pool_);
}

// Numbers the messages of a packet and makes it the device's as well as ours.
rte_mbuf* Generator::stamped(Buffer& buffer) {
  stamp({rte_pktmbuf_mtod(buffer.packet, std::byte*), buffer.made->bytes.size()}, *buffer.made,
        sequence_, options_.checksums);
  sequence_ += buffer.made->stamps.size();
  rte_mbuf_refcnt_set(buffer.packet, 2);
  return buffer.packet;
}

std::uint32_t Generator::next_burst(std::span<rte_mbuf*> burst, std::uint64_t budget) {
  const std::uint64_t each = templates_.front().stamps.size();
  std::uint32_t n = 0;
  for (; n < burst.size() && budget >= each; ++n, budget -= each) {
    Buffer& buffer = buffers_[next_];
    // The device still sends it: every buffer is under way.
    if (rte_mbuf_refcnt_read(buffer.packet) != 1) break;
    next_ = next_ + 1 == buffers_.size() ? 0 : next_ + 1;
    burst[n] = stamped(buffer);
  }
  return n;
}

void Generator::send_all(std::span<rte_mbuf*> burst, const PacketTemplate& made,
                         const volatile bool& stop) {
  while (!burst.empty()) {
    const std::uint16_t taken = queue_.transmit(burst);
    report_quiescent(kPoller);
    for (std::uint16_t i = 0; i < taken; ++i) sent_.add(made);
    burst = burst.subspan(taken);
    if (taken > 0) moved_at_ = rte_get_tsc_cycles();
    if (burst.empty()) return;
    ++sent_.refused;
    sent_.stuck = rte_get_tsc_cycles() - moved_at_ > kPatienceSeconds * rte_get_tsc_hz();
    if (stop || sent_.stuck) break;
    rte_pause();
  }
  // Given up with packets that the device did not take: their numbers were never sent.
  for (rte_mbuf* packet : burst) rte_pktmbuf_free(packet);
}

void Generator::send_rest(const volatile bool& stop) {
  add_buffer(*rest_);
  rte_mbuf* packet = stamped(buffers_.back());
  send_all({&packet, 1}, *rest_, stop);
}

void Generator::tell_progress(std::uint64_t now) {
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  if (!options_.progress || static_cast<double>(now - told_at_) < hz) return;
  std::fprintf(stderr, "blast: %.2f million messages/s\n",
               static_cast<double>(sent_.messages - told_messages_) * hz /
                   static_cast<double>(now - told_at_) / 1e6);
  told_at_ = now;
  told_messages_ = sent_.messages;
}

// Messages that may be sent by now.
std::uint64_t Generator::budget(std::uint64_t now) const {
  const std::uint64_t total =
      options_.count > 0 ? options_.count : std::numeric_limits<std::uint64_t>::max();
  if (options_.rate <= 0) return total - sequence_;
  const double due =
      options_.rate * static_cast<double>(now - start_) / static_cast<double>(rte_get_tsc_hz());
  const double open = std::max(0.0, due - static_cast<double>(sequence_));
  return std::min(total - sequence_, static_cast<std::uint64_t>(std::min(open, 1e18)));
}

Sent Generator::run(const volatile bool& stop) {
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  start_ = told_at_ = moved_at_ = rte_get_tsc_cycles();
  const std::uint64_t end = options_.seconds > 0
                                ? start_ + static_cast<std::uint64_t>(options_.seconds * hz)
                                : std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t each = templates_.front().stamps.size();
  const std::uint64_t whole =
      options_.count > 0 ? options_.count / each * each : std::numeric_limits<std::uint64_t>::max();
  std::vector<rte_mbuf*> burst(options_.batch);
  std::uint64_t now = start_;
  enter_polling(kPoller);
  while (!stop && !sent_.stuck && now < end && sequence_ < whole) {
    const std::uint64_t open = budget(now);
    const std::uint32_t n = next_burst(burst, open);
    if (n > 0) {
      send_all(std::span(burst).first(n), templates_.front(), stop);
    } else {
      report_quiescent(kPoller);
      // Nothing was due, or the device gives back none of the packets that it took.
      if (open < each) moved_at_ = now;
      sent_.stuck = now - moved_at_ > kPatienceSeconds * rte_get_tsc_hz();
    }
    now = rte_get_tsc_cycles();
    tell_progress(now);
  }
  if (rest_ && sequence_ == whole && !stop && !sent_.stuck && now < end) send_rest(stop);
  leave_polling(kPoller);
  sent_.seconds = static_cast<double>(rte_get_tsc_cycles() - start_) / hz;
  return sent_;
}

}  // namespace penstock::blast
