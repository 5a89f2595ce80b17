#include "perf/blast/generator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "base/check.h"
#include "dataplane/port/quiescence.h"

namespace penstock::blast {
namespace {

constexpr std::size_t kBuffersLeast = 4096;    // more than any transmit queue holds
constexpr std::uint64_t kPatienceSeconds = 5;  // with a receiver that takes nothing
constexpr unsigned kPoller = 0;

}  // namespace

Generator::Generator(const Options& options, std::vector<PacketTemplate> templates,
                     PortQueue& queue)
    : options_(options), templates_(std::move(templates)), queue_(queue) {
  const std::size_t bytes = templates_.front().bytes.size();
  const std::size_t count = std::max(kBuffersLeast, templates_.size());
  pool_ = rte_pktmbuf_pool_create("blast", static_cast<unsigned>(count), 0, 0,
                                  static_cast<std::uint16_t>(bytes + RTE_PKTMBUF_HEADROOM), 0);
  CHECK(pool_ != nullptr);
  messages_each_ = templates_.front().stamps.size();
  for (std::size_t i = 0; i < count; ++i) {
    const PacketTemplate& made = templates_[i % templates_.size()];
    rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
    CHECK(packet != nullptr);
    std::memcpy(rte_pktmbuf_mtod(packet, void*), made.bytes.data(), made.bytes.size());
    packet->data_len = static_cast<std::uint16_t>(made.bytes.size());
    packet->pkt_len = packet->data_len;
    buffers_.push_back({packet, &made});
  }
}

Generator::~Generator() {
  for (const Buffer& buffer : buffers_) rte_pktmbuf_free(buffer.packet);
  rte_mempool_free(pool_);
}

std::uint32_t Generator::next_burst(std::span<rte_mbuf*> burst, std::uint64_t budget) {
  std::uint32_t n = 0;
  for (; n < burst.size() && budget >= messages_each_; ++n, budget -= messages_each_) {
    Buffer& buffer = buffers_[next_];
    // The device still sends it: every buffer is under way.
    if (rte_mbuf_refcnt_read(buffer.packet) != 1) break;
    next_ = next_ + 1 == buffers_.size() ? 0 : next_ + 1;
    stamp({rte_pktmbuf_mtod(buffer.packet, std::byte*), buffer.made->bytes.size()}, *buffer.made,
          sequence_, options_.checksums);
    sequence_ += messages_each_;
    rte_mbuf_refcnt_set(buffer.packet, 2);  // the device's, and ours
    burst[n] = buffer.packet;
  }
  return n;
}

void Generator::send_all(std::span<rte_mbuf*> burst, const volatile bool& stop) {
  const std::uint64_t patience = rte_get_tsc_cycles() + kPatienceSeconds * rte_get_tsc_hz();
  while (!burst.empty()) {
    const std::uint16_t taken = queue_.transmit(burst);
    report_quiescent(kPoller);
    sent_.packets += taken;
    burst = burst.subspan(taken);
    if (burst.empty()) return;
    ++sent_.refused;
    sent_.stuck = rte_get_tsc_cycles() > patience;
    if (stop || sent_.stuck) break;
    rte_pause();
  }
  // Given up with packets that the device did not take: their numbers were never sent.
  for (rte_mbuf* packet : burst) rte_pktmbuf_free(packet);
}

Sent Generator::run(const volatile bool& stop) {
  const double hz = static_cast<double>(rte_get_tsc_hz());
  const std::uint64_t start = rte_get_tsc_cycles();
  const std::uint64_t end = options_.seconds > 0
                                ? start + static_cast<std::uint64_t>(options_.seconds * hz)
                                : std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t total =
      options_.count > 0 ? options_.count : std::numeric_limits<std::uint64_t>::max();
  std::vector<rte_mbuf*> burst(options_.batch);
  std::uint64_t now = start;
  std::uint64_t told_at = start;
  std::uint64_t told_messages = 0;
  enter_polling(kPoller);
  while (!stop && !sent_.stuck && now < end && sequence_ + messages_each_ <= total) {
    std::uint64_t budget = total - sequence_;
    if (options_.rate > 0) {
      const double due = options_.rate * static_cast<double>(now - start) / hz;
      budget = std::min(
          budget, static_cast<std::uint64_t>(std::max(0.0, due - static_cast<double>(sequence_))));
    }
    const std::uint32_t n = next_burst(burst, budget);
    if (n == 0) report_quiescent(kPoller);
    send_all(std::span(burst).first(n), stop);
    now = rte_get_tsc_cycles();
    if (options_.progress && static_cast<double>(now - told_at) >= hz) {
      const std::uint64_t messages = sent_.packets * messages_each_;
      std::fprintf(stderr, "blast: %.2f million messages/s\n",
                   static_cast<double>(messages - told_messages) * hz /
                       static_cast<double>(now - told_at) / 1e6);
      told_at = now;
      told_messages = messages;
    }
  }
  leave_polling(kPoller);
  sent_.seconds = static_cast<double>(rte_get_tsc_cycles() - start) / hz;
  const PacketTemplate& made = templates_.front();
  const std::uint64_t payload = made.bytes.size() - made.udp_at - 8;
  sent_.messages = sent_.packets * messages_each_;
  sent_.packet_bytes = sent_.packets * made.bytes.size();
  // Newlines between packed lines are not part of the messages.
  sent_.message_bytes = sent_.packets * (payload - (options_.packed != 0 ? messages_each_ : 0));
  return sent_;
}

}  // namespace penstock::blast
