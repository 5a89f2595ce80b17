#include "dataplane/shard/shard.h"

#include <algorithm>

#include <rte_mbuf.h>

namespace penstock {
namespace {

// How old the published books may be. Readers see each publication as one consistent moment.
constexpr std::int64_t kPublishEveryNs = 1'000'000;

}  // namespace

Shard::Shard(ShardParts parts) : parts_(std::move(parts)) {
  for (const ShardPort& port : parts_.ports) {
    Side side{.queue = port.queue,
              .account = port.account,
              .decoder = std::make_unique<FrameDecoder>(port.frame)};
    sides_.push_back(std::move(side));
  }
  parts_.gauges->blocks = parts_.pool->blocks();
}

bool Shard::step() {
  // The one look at this clock in a turn: it costs as much as a packet.
  const MonotonicNanos now = parts_.clock->monotonic_now();
  bool worked = false;
  for (Side& port : sides_) worked |= receive(port, now);
  worked |= parts_.log->poll(now);
  publish_if_due(now);
  return worked;
}

bool Shard::receive(Side& port, MonotonicNanos now) {
  if (now < port.look_at) return false;
  std::array<rte_mbuf*, kBurst> packets;
  const std::uint16_t count = port.queue->receive(packets);
  const Verdict expired = port.decoder->advance(now);
  (*port.account)[expired.fate].add(expired.packets, expired.bytes);
  if (count == 0) return false;
  if (count < kSmallBurst) port.look_at = now + parts_.coalesce_ns;
  const UnixNanos received = parts_.clock->unix_now();
  for (std::size_t i = 0; i < std::min<std::size_t>(count, kPrefetchAhead); ++i) {
    prefetch_frame(packets[i]);
  }
  unsigned done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) prefetch_frame(packets[i + kPrefetchAhead]);
    if (take_packet(port, packets[i], received)) packets[done++] = packets[i];
  }
  rte_pktmbuf_free_bulk(packets.data(), done);
  if (port.answer_count > 0) transmit_answers(port);
  return true;
}

bool Shard::take_packet(Side& port, rte_mbuf*& packet, UnixNanos received) {
  port.account->received.add(packet->pkt_len);
  Datagram datagram;
  Verdict verdict = port.decoder->decode(packet, received, datagram);
  if (verdict.fate == PacketFate::kDecoded) [[likely]] {
    Door* door = verdict.packets > 0 ? parts_.doors->find(datagram) : nullptr;
    if (door != nullptr) {
      door->take(datagram, *parts_.intake);
    } else if (verdict.packets > 0) {
      verdict.fate = PacketFate::kNoDoor;
    }
  } else if (info(verdict.fate).of == FateClass::kAnswered) {
    answer(port, packet, verdict);
    return false;
  }
  (*port.account)[verdict.fate].add(verdict.packets, verdict.bytes);
  return packet != nullptr;
}

void Shard::answer(Side& port, rte_mbuf* packet, const Verdict& verdict) {
  if (port.answer_count == port.answers.size()) transmit_answers(port);
  port.verdicts[port.answer_count] = verdict;
  port.answers[port.answer_count++] = packet;
}

void Shard::transmit_answers(Side& port) {
  const std::uint16_t taken =
      port.queue->transmit(std::span(port.answers).first(port.answer_count));
  for (std::uint16_t i = 0; i < port.answer_count; ++i) {
    Verdict& verdict = port.verdicts[i];
    if (i >= taken) {
      verdict.fate = PacketFate::kAnswerLimited;
      rte_pktmbuf_free(port.answers[i]);
    }
    (*port.account)[verdict.fate].add(verdict.packets, verdict.bytes);
  }
  port.answer_count = 0;
}

void Shard::publish_if_due(MonotonicNanos now) {
  if (now < publish_at_) return;
  publish_at_ = now + kPublishEveryNs;
  publish();
}

void Shard::publish() {
  parts_.intake->settle();
  for (Side& port : sides_) port.account->held = port.decoder->held();
  const LogCounters& log = parts_.log->counters();
  ShardGauges& gauges = *parts_.gauges;
  gauges.blocks_free = parts_.pool->free_blocks();
  gauges.blocks_sealed = log.blocks_sealed;
  gauges.blocks_durable = log.blocks_durable;
  gauges.bytes_written = log.bytes_submitted;
  gauges.segments_taken = log.segments_taken;
  gauges.segments_closed = log.segments_closed;
  gauges.segments_poisoned = log.segments_poisoned;
  gauges.write_errors = log.write_errors;
  gauges.flush_errors = log.flush_errors;
  gauges.last_errno = static_cast<std::uint64_t>(log.last_errno);
  const LogWatermarks& marks = parts_.log->watermarks();
  *parts_.edge = {marks.next.value,    marks.written.value, marks.durable.value,
                  marks.segment.value, marks.slot.value,    marks.generation.value,
                  marks.position};
  parts_.area->publish();
}

void Shard::take_rest() {
  const MonotonicNanos now = parts_.clock->monotonic_now();
  parts_.coalesce_ns = 0;
  for (Side& port : sides_) {
    port.look_at = MonotonicNanos(0);
    for (unsigned i = 0; i < kRestBursts && receive(port, now); ++i) parts_.log->poll(now);
    const Verdict rest = port.decoder->give_up();
    (*port.account)[rest.fate].add(rest.packets, rest.bytes);
  }
}

bool Shard::step_drain() {
  LogWriter& log = *parts_.log;
  if (!marked_) {
    log.seal();
    if (log.drained()) {
      log.mark_clean_end();
      marked_ = true;
    }
  }
  const MonotonicNanos now = parts_.clock->monotonic_now();
  log.poll(now);
  publish_if_due(now);
  return marked_ && log.drained();
}

}  // namespace penstock
