#include "dataplane/frame/fragment_table.h"

#include <bit>

#include "base/check.h"
#include "dataplane/frame/packet_bytes.h"
#include "dataplane/frame/wire.h"

namespace penstock {
namespace {

// How many datagrams advance() gives up at most, so that it cannot hold up the loop.
constexpr unsigned kExpiredPerCall = 32;

constexpr std::uint64_t kOddFraction = 0x9E3779B97F4A7C15ULL;  // 2^64 divided by the golden ratio

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

Verdict one_packet(PacketFate fate, const rte_mbuf& packet) { return {fate, 1, packet.pkt_len}; }

// A datagram's inner fragments are multiples of eight bytes; none is empty.
bool possible(const IpPacket& ip) {
  const std::size_t length = ip.body.size();
  return length != 0 && ip.fragment.offset + length <= kIpBodyBytesMax &&
         (!ip.fragment.more || length % 8 == 0);
}

}  // namespace

FragmentTable::FragmentTable(const FragmentTableOptions& options)
    : options_(options),
      pieces_(options.packets + 1),
      partials_(options.datagrams + 1),
      buckets_(std::bit_ceil(2 * std::size_t{options.datagrams} + 1), kNone) {
  for (Index i = 0; i < pieces_.size(); ++i) {
    pieces_[i].next = free_piece_;
    free_piece_ = i;
  }
  for (Index i = 0; i < partials_.size(); ++i) {
    partials_[i].next_in_bucket = free_partial_;
    free_partial_ = i;
  }
}

FragmentTable::~FragmentTable() { (void)give_up_all(); }

std::size_t FragmentTable::bucket_of(const FragmentKey& key) const {
  const auto words = std::bit_cast<std::array<std::uint64_t, sizeof(FragmentKey) / 8>>(key);
  std::uint64_t hash = options_.hash_seed;
  for (const std::uint64_t word : words) hash = mix(hash ^ word, kOddFraction);
  return hash & (buckets_.size() - 1);
}

FragmentTable::Index FragmentTable::find(const FragmentKey& key) const {
  Index index = buckets_[bucket_of(key)];
  while (index != kNone && partials_[index].key != key) index = partials_[index].next_in_bucket;
  return index;
}

FragmentTable::Index FragmentTable::open(const FragmentKey& key) {
  const Index index = free_partial_;
  CHECK_NE(index, kNone);
  Partial& partial = partials_[index];
  free_partial_ = partial.next_in_bucket;
  Index& bucket = buckets_[bucket_of(key)];
  partial = {};
  partial.key = key;
  partial.started = now_;
  partial.next_in_bucket = bucket;
  bucket = index;
  link(waiting_, index);
  ++open_;
  return index;
}

void FragmentTable::link(Ages& ages, Index index) {
  partials_[index].older = ages.newest;
  partials_[index].newer = kNone;
  (ages.newest == kNone ? ages.oldest : partials_[ages.newest].newer) = index;
  ages.newest = index;
}

void FragmentTable::unlink(Ages& ages, Index index) {
  const Partial& partial = partials_[index];
  (partial.older == kNone ? ages.oldest : partials_[partial.older].newer) = partial.newer;
  (partial.newer == kNone ? ages.newest : partials_[partial.newer].older) = partial.older;
}

void FragmentTable::free_pieces(Partial& partial) {
  CHECK_GE(held_.count, partial.held.count);
  held_.count -= partial.held.count;
  held_.bytes -= partial.held.bytes;
  for (Index i = partial.first; i != kNone;) {
    Piece& piece = pieces_[i];
    const Index next = piece.next;
    rte_pktmbuf_free(piece.packet);
    piece.next = free_piece_;
    free_piece_ = i;
    i = next;
  }
}

// Takes a datagram out of the table and frees its fragments.
void FragmentTable::close(Index index) {
  Partial& partial = partials_[index];
  free_pieces(partial);
  Index* link = &buckets_[bucket_of(partial.key)];
  while (*link != index) link = &partials_[*link].next_in_bucket;
  *link = partial.next_in_bucket;
  unlink(ages_of(partial), index);
  partial.next_in_bucket = free_partial_;
  free_partial_ = index;
  --open_;
}

Verdict FragmentTable::give_up(Index index, PacketFate fate) {
  const Tally& held = partials_[index].held;
  const Verdict verdict{fate, static_cast<std::uint32_t>(held.count), held.bytes};
  close(index);
  return verdict;
}

Verdict FragmentTable::give_up_all() {
  Verdict all{PacketFate::kFragmentExpired, 0, 0};
  while (waiting_.oldest != kNone) all += give_up(waiting_.oldest, all.fate);
  while (condemned_.oldest != kNone) close(condemned_.oldest);
  return all;
}

Verdict FragmentTable::condemn(Index index, const rte_mbuf& packet) {
  Verdict verdict = one_packet(PacketFate::kBadFragment, packet);
  if (index == kNone) return verdict;
  Partial& partial = partials_[index];
  verdict.packets += static_cast<std::uint32_t>(partial.held.count);
  verdict.bytes += partial.held.bytes;
  free_pieces(partial);
  unlink(waiting_, index);
  link(condemned_, index);
  partial.held = {};
  partial.first = kNone;
  partial.started = now_;
  partial.condemned = true;
  return verdict;
}

// There is room for one more than is allowed: a fragment that completes its datagram pushes nobody
// out.
Verdict FragmentTable::make_room() {
  if (open_ > options_.datagrams && condemned_.oldest != kNone) close(condemned_.oldest);
  if (open_ <= options_.datagrams && held_.count <= options_.packets) return {};
  return give_up(waiting_.oldest, PacketFate::kFragmentTableFull);
}

FragmentTable::Fitted FragmentTable::fit(const Partial& partial, const IpPacket& ip) const {
  const std::uint32_t offset = ip.fragment.offset;
  const std::uint32_t end = offset + static_cast<std::uint32_t>(ip.body.size());
  // Fragments mostly come in order: look behind the last one first.
  Index before = partial.last;
  if (pieces_[before].offset > offset) {
    before = kNone;
    for (Index i = partial.first; pieces_[i].offset <= offset; i = pieces_[i].next) before = i;
  }
  if (before != kNone) {
    const Piece& piece = pieces_[before];
    if (piece.offset == offset && piece.length == end - offset) return {Fit::kRepeats, before};
    if (piece.offset + piece.length > offset) return {Fit::kContradicts, before};
  }
  const Index after = before == kNone ? partial.first : pieces_[before].next;
  const bool overlaps = after != kNone && end > pieces_[after].offset;
  const bool second_end = !ip.fragment.more && (partial.end != 0 || after != kNone);
  const bool past_end = partial.end != 0 && end > partial.end;
  const bool too_many = partial.held.count == kFragmentsPerDatagramMax;
  const bool bad = overlaps || second_end || past_end || too_many;
  return {bad ? Fit::kContradicts : Fit::kFits, before};
}

void FragmentTable::hold(Partial& partial, rte_mbuf* packet, const IpPacket& ip,
                         std::size_t body_at, Index before) {
  const Index index = free_piece_;
  CHECK_NE(index, kNone);
  Piece& piece = pieces_[index];
  free_piece_ = piece.next;
  const auto length = static_cast<std::uint32_t>(ip.body.size());
  Index& link = before == kNone ? partial.first : pieces_[before].next;
  piece = {packet, static_cast<std::uint32_t>(body_at), ip.fragment.offset, length, link};
  link = index;
  if (piece.next == kNone) partial.last = index;
  if (piece.offset == 0) partial.protocol = ip.protocol;
  if (!ip.fragment.more) partial.end = piece.offset + length;
  partial.length += length;
  partial.held.add(packet->pkt_len);
  held_.add(packet->pkt_len);
}

FragmentTable::Added FragmentTable::join(Index index, std::span<std::byte> scratch) {
  const Partial& partial = partials_[index];
  const std::span<std::byte> whole = scratch.first(partial.end);
  std::uint32_t at = 0;
  for (Index i = partial.first; i != kNone; i = pieces_[i].next) {
    const Piece& piece = pieces_[i];
    CHECK_EQ(piece.offset, at);
    const auto place = whole.subspan(at, piece.length);
    CHECK_EQ(copy_bytes(*piece.packet, piece.at, place), place.size());
    at += piece.length;
  }
  const std::uint8_t protocol = partial.protocol;
  return {give_up(index, PacketFate::kDecoded), whole, protocol};
}

FragmentTable::Added FragmentTable::add(rte_mbuf*& packet, const FragmentKey& key,
                                        const IpPacket& ip, std::size_t body_at,
                                        std::span<std::byte> scratch) {
  Index index = find(key);
  if (index != kNone && partials_[index].condemned) {
    return {one_packet(PacketFate::kBadFragment, *packet), {}, 0};
  }
  if (!possible(ip)) return {condemn(index, *packet), {}, 0};
  const Fitted fitted = index == kNone ? Fitted{Fit::kFits, kNone} : fit(partials_[index], ip);
  if (fitted.fit == Fit::kRepeats) return {one_packet(PacketFate::kBadFragment, *packet), {}, 0};
  if (fitted.fit == Fit::kContradicts) return {condemn(index, *packet), {}, 0};
  if (index == kNone) index = open(key);
  Partial& partial = partials_[index];
  hold(partial, packet, ip, body_at, fitted.before);
  packet = nullptr;
  if (partial.length == partial.end) return join(index, scratch);
  return {make_room(), {}, 0};
}

Verdict FragmentTable::advance(MonotonicNanos now) {
  now_ = now;
  const auto over = [&](const Ages& ages) {
    return ages.oldest != kNone && now_ - partials_[ages.oldest].started >= options_.timeout_ns;
  };
  Verdict expired{PacketFate::kFragmentExpired, 0, 0};
  for (unsigned i = 0; i < kExpiredPerCall && over(waiting_); ++i) {
    expired += give_up(waiting_.oldest, expired.fate);
  }
  for (unsigned i = 0; i < kExpiredPerCall && over(condemned_); ++i) close(condemned_.oldest);
  return expired;
}

}  // namespace penstock
