#include "dataplane/shard/shard.h"

#include <algorithm>
#include <utility>

#include <rte_mbuf.h>

#include "dataplane/frame/packet_bytes.h"
#include "dataplane/frame/parse_datagram.h"

namespace penstock {
namespace {

// Of a packet whose datagram was decoded; empty when it does not lie in its first buffer.
std::span<const std::byte> ethernet_header(const rte_mbuf& packet) {
  const std::span frame(first_bytes(packet), packet.data_len);
  // Nearly all have no tag.
  const std::uint16_t type = frame.size() < kEthernetBytes ? 0 : load_be16(&frame[12]);
  if (type == kEtherTypeIpv4 || type == kEtherTypeIpv6) return frame.first(kEthernetBytes);
  const auto ethernet = parse_ethernet(frame);
  return ethernet ? frame.first(ethernet->header_bytes) : std::span<const std::byte>{};
}

// How old the published books may be. Readers see each publication as one consistent moment.
constexpr std::int64_t kPublishEveryNs = 1'000'000;
// Streams may be thousands: with so many each time they take under a hundredth of the shard's time.
constexpr std::size_t kStreamsEachTime = 64;

constexpr std::size_t kScratchBytes = 16 * 1024;  // longer than the longest frame of PDP

}  // namespace

Shard::Shard(ShardParts parts)
    : parts_(std::move(parts)), scratch_(parts_.handover == nullptr ? 0 : kScratchBytes) {
  for (const ShardPort& port : parts_.ports) {
    Side side{.queue = port.queue,
              .account = port.account,
              .decoder = std::make_unique<FrameDecoder>(port.frame),
              .number = port.number};
    sides_.push_back(std::move(side));
  }
  parts_.gauges->blocks = parts_.pool->blocks();
  if (parts_.handover == nullptr) return;
  for (const Handover::Kind kind : {Handover::Kind::kArrival, Handover::Kind::kDeparture}) {
    parts_.handover->join(kind);
    gives_[static_cast<unsigned>(kind)] = true;
  }
}

Shard::~Shard() {
  leave(Handover::Kind::kArrival);
  leave(Handover::Kind::kDeparture);
}

bool Shard::step() {
  // The one look at this clock in a turn: it costs as much as a packet.
  now_ = parts_.clock->monotonic_now();
  bool worked = false;
  for (Side& port : sides_) worked |= receive(port, now_);
  worked |= take_handed();
  worked |= forward_handed();
  worked |= tell_producers();
  worked |= parts_.log->poll(now_);
  worked |= tell_producers();
  worked |= obey();
  publish_if_due(now_);
  return worked;
}

// One command of the control thread's a turn.
bool Shard::obey() const {
  if (parts_.mailbox == nullptr) return false;
  const auto command = parts_.mailbox->commands.pop();
  if (!command) return false;
  const Routing* routing = std::get<RouteBy>(*command).routing;
  parts_.router->adopt(*routing);
  CHECK(parts_.mailbox->answers.push(RoutesBy{routing}));  // one for each command
  return true;
}

// What came is acknowledged before the log's turn, what became durable right behind it.
bool Shard::tell_producers() {
  if (parts_.pdp == nullptr) return false;
  const bool told = parts_.pdp->turn(now_);
  parts_.outbox->flush();
  return told;
}

bool Shard::receive(Side& port, MonotonicNanos now) {
  if (now < port.look_at) return false;
  std::array<rte_mbuf*, kBurst> packets;
  const std::uint16_t count = port.queue->receive(packets);
  const Verdict expired = port.decoder->advance(now);
  (*port.account)[expired.fate].add(expired.packets, expired.bytes);
  if (count == 0) return false;
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
  // Whoever waits for acknowledgements sends the more the sooner they come.
  if (count < kSmallBurst && !(parts_.pdp != nullptr && parts_.pdp->owes_answers())) {
    port.look_at = now + parts_.coalesce_ns;
  }
  return true;
}

bool Shard::take_packet(Side& port, rte_mbuf*& packet, UnixNanos received) {
  port.account->received.add(packet->pkt_len);
  Datagram datagram;
  Verdict verdict = port.decoder->decode(packet, received, datagram);
  if (verdict.fate == PacketFate::kDecoded) [[likely]] {
    Door* door = verdict.packets > 0 ? parts_.doors->find(datagram) : nullptr;
    if (door != nullptr && door->protocol() != DoorProtocol::kPdp) {
      door->take(datagram, *parts_.intake);
    } else if (door != nullptr) {
      take_frame(port, packet, datagram);
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

// One of another shard's session is handed over, and no longer ours.
void Shard::take_frame(Side& port, rte_mbuf*& packet, const Datagram& datagram) {
  const auto link = packet == nullptr ? std::span<const std::byte>{} : ethernet_header(*packet);
  const unsigned owner = parts_.pdp->take(datagram, link, port.number, now_);
  if (owner == parts_.number) return;
  const bool handed =
      !link.empty() && parts_.handover->give(owner, Handover::Kind::kArrival, packet, port.number);
  parts_.pdp->count_handed(datagram.payload.size(), handed);
  if (handed) packet = nullptr;
}

// Frames that came to other shards, of sessions of this one.
bool Shard::take_handed() {
  if (parts_.handover == nullptr) return false;
  std::array<rte_mbuf*, kBurst> packets;
  const unsigned arrived = parts_.handover->take(parts_.number, Handover::Kind::kArrival, packets);
  const UnixNanos received = arrived > 0 ? parts_.clock->unix_now() : UnixNanos(0);
  for (rte_mbuf* packet : std::span(packets).first(arrived)) {
    // One that changed since it was judged, in memory shared with a peer, is counted as no frame.
    const Datagram datagram = parse_datagram(*packet, received, scratch_).value_or(Datagram{});
    static_cast<void>(
        parts_.pdp->take(datagram, ethernet_header(*packet), Handover::port_of(*packet), now_));
  }
  rte_pktmbuf_free_bulk(packets.data(), arrived);
  return arrived > 0;
}

// Other shards' answers, by ports that this one polls.
bool Shard::forward_handed() const {
  if (parts_.handover == nullptr) return false;
  std::array<rte_mbuf*, kBurst> packets;
  const unsigned leaving =
      parts_.handover->take(parts_.number, Handover::Kind::kDeparture, packets);
  for (rte_mbuf* packet : std::span(packets).first(leaving)) {
    parts_.outbox->forward(packet, Handover::port_of(*packet));
  }
  return leaving > 0;
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
  publish_own();
  parts_.intake->publish_streams(kStreamsEachTime);
}

void Shard::publish() {
  publish_own();
  parts_.intake->publish_streams();
}

void Shard::publish_own() {
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
  const MonotonicNanos now = now_ = parts_.clock->monotonic_now();
  parts_.coalesce_ns = 0;
  for (Side& port : sides_) {
    port.look_at = MonotonicNanos(0);
    for (unsigned i = 0; i < kRestBursts && receive(port, now); ++i) parts_.log->poll(now);
    const Verdict rest = port.decoder->give_up();
    (*port.account)[rest.fate].add(rest.packets, rest.bytes);
  }
  leave(Handover::Kind::kArrival);
}

bool Shard::step_drain() {
  now_ = parts_.clock->monotonic_now();
  LogWriter& log = *parts_.log;
  if (!told_away_ && take_last_handed()) {
    if (parts_.pdp != nullptr) parts_.pdp->go_away(0);
    told_away_ = true;
  }
  if (told_away_ && !marked_) {
    log.seal();
    if (log.drained()) {
      log.mark_clean_end();
      marked_ = true;
    }
  }
  log.poll(now_);
  tell_producers();
  if (all_durable()) leave(Handover::Kind::kDeparture);
  const bool forwarded = forward_last_handed();
  if (parts_.outbox != nullptr) parts_.outbox->flush();
  publish_if_due(now_);
  return all_durable() && forwarded;
}

// Whether all that other shards gave is taken, and nothing can follow: givers are looked at first.
bool Shard::take_last_handed() {
  if (parts_.handover == nullptr) return true;
  const bool last = parts_.handover->all_left(Handover::Kind::kArrival);
  return !take_handed() && last;
}

bool Shard::forward_last_handed() {
  if (parts_.handover == nullptr) return true;
  const bool last = parts_.handover->all_left(Handover::Kind::kDeparture);
  return !forward_handed() && last;
}

void Shard::leave(Handover::Kind kind) {
  if (std::exchange(gives_[static_cast<unsigned>(kind)], false)) parts_.handover->leave(kind);
}

}  // namespace penstock
