// Puts the fragments of IP datagrams together: a bounded table, every fragment accounted for.
//
// Not rte_ip_frag, because that joins at most eight fragments (no more than 11,840 bytes over
// Ethernet), keeps what is unfinished for the whole timeout and refuses everybody else meanwhile,
// puts no bound on the packets it holds, frees expired ones by an experimental call only, and does
// not say how many it freed.
//
// Bounds and rules:
// - At most `datagrams` at once and `packets` held; when either is used up the oldest datagram is
//   given up, so that a flood of fragments without their rest cannot keep whole ones out.
// - A datagram has at most kFragmentsPerDatagramMax fragments and 65,535 bytes.
// - A fragment that overlaps others, or passes these bounds, condemns its datagram (RFC 5722): what
//   was held of it is given up, and so is what comes later. One that repeats another exactly is
//   dropped alone.
// - A datagram's time runs from its first fragment, a condemned one's from its condemnation. Where
//   there is no room, condemned ones are forgotten first.
//
// Invariant: every packet that add() took is in held() until exactly one Verdict has told of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "base/units.h"
#include "dataplane/frame/ip_packet.h"
#include "dataplane/frame/verdict.h"
#include "dataplane/ledger/account.h"

struct rte_mbuf;

namespace penstock {

inline constexpr std::uint32_t kFragmentsPerDatagramMax = 64;  // 65,535 bytes at IPv6's least MTU
                                                               // are 54
inline constexpr std::size_t kIpBodyBytesMax = 65535;

// Fragments of one datagram agree in all of this.
struct FragmentKey {
  IpAddress source;
  IpAddress destination;
  std::uint64_t vlans = 0;
  std::uint32_t identification = 0;
  std::uint32_t protocol = 0;  // IPv4 only; zero for IPv6, where each fragment may name another
                               // header

  bool operator==(const FragmentKey&) const = default;
};
static_assert(std::has_unique_object_representations_v<FragmentKey>, "hashed as bytes");

struct FragmentTableOptions {
  std::uint32_t datagrams = 1024;  // 0: every fragment is refused
  std::uint32_t packets = 2048;    // keep it well below the packet buffers of the queue
  std::int64_t timeout_ns = kNanosPerSecond;
  std::uint64_t hash_seed = 0;  // random, so that nobody can aim at one bucket
};

// One thread. Memory is taken by the constructor only.
class FragmentTable {
 public:
  explicit FragmentTable(const FragmentTableOptions& options);
  ~FragmentTable();  // frees what is held
  FragmentTable(const FragmentTable&) = delete;
  FragmentTable& operator=(const FragmentTable&) = delete;

  // What became of a fragment. If `whole` is not empty it was the last one missing: `whole` is what
  // the fragments carried, and the verdict (kDecoded, to be replaced by what `whole` turns out to
  // be) tells of all of them. Else the verdict tells of what was given up: an older datagram, or
  // this one, or nothing.
  struct Added {
    Verdict verdict;
    std::span<const std::byte> whole;
    std::uint8_t protocol = 0;  // of `whole`: as the first fragment named it
  };
  // `ip` is what parse_ipv4() or parse_ipv6() made of `packet`; ip.body begins `body_at` bytes into
  // the frame. A packet that the table takes becomes null; otherwise it stays the caller's. `whole`
  // is written to `scratch`, of kIpBodyBytesMax bytes or more.
  [[nodiscard]] Added add(rte_mbuf*& packet, const FragmentKey& key, const IpPacket& ip,
                          std::size_t body_at, std::span<std::byte> scratch);

  // Moves the clock and gives up datagrams whose time is over, some at a call: call it once a
  // burst.
  [[nodiscard]] Verdict advance(MonotonicNanos now);

  // Gives up all that is held: nothing comes any more.
  [[nodiscard]] Verdict give_up_all();

  [[nodiscard]] const Tally& held() const { return held_; }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = std::numeric_limits<Index>::max();

  struct Piece {  // one held fragment
    rte_mbuf* packet = nullptr;
    std::uint32_t at = 0;      // of its bytes in the frame
    std::uint32_t offset = 0;  // of its bytes in the datagram
    std::uint32_t length = 0;
    Index next = kNone;  // by offset; of a free piece: the next free one
  };
  struct Partial {  // one datagram that is being put together, or that is condemned
    FragmentKey key;
    MonotonicNanos started;
    Tally held;
    std::uint32_t length = 0;      // of all its pieces
    std::uint32_t end = 0;         // of the datagram; zero as long as the last fragment is missing
    Index first = kNone;           // piece with the lowest offset
    Index last = kNone;            // piece with the highest
    Index next_in_bucket = kNone;  // of a free partial: the next free one
    Index older = kNone;
    Index newer = kNone;
    std::uint8_t protocol = 0;
    bool condemned = false;  // holds nothing
  };
  struct Ages {  // datagrams by their time
    Index oldest = kNone;
    Index newest = kNone;
  };
  enum class Fit : std::uint8_t { kFits, kRepeats, kContradicts };
  struct Fitted {
    Fit fit;
    Index before;  // the piece behind which a fitting one belongs; kNone: it becomes the first
  };

  [[nodiscard]] std::size_t bucket_of(const FragmentKey& key) const;
  [[nodiscard]] Index find(const FragmentKey& key) const;
  [[nodiscard]] Index open(const FragmentKey& key);
  void close(Index index);
  void free_pieces(Partial& partial);
  void link(Ages& ages, Index index);
  void unlink(Ages& ages, Index index);
  [[nodiscard]] Ages& ages_of(const Partial& partial) {
    return partial.condemned ? condemned_ : waiting_;
  }
  [[nodiscard]] Verdict give_up(Index index, PacketFate fate);
  // `index` may be kNone: then the packet is bad alone.
  [[nodiscard]] Verdict condemn(Index index, const rte_mbuf& packet);
  [[nodiscard]] Verdict make_room();
  [[nodiscard]] Fitted fit(const Partial& partial, const IpPacket& ip) const;
  void hold(Partial& partial, rte_mbuf* packet, const IpPacket& ip, std::size_t body_at,
            Index before);
  [[nodiscard]] Added join(Index index, std::span<std::byte> scratch);

  FragmentTableOptions options_;
  MonotonicNanos now_;
  Tally held_;
  std::uint32_t open_ = 0;  // datagrams that are known, condemned ones among them
  std::vector<Piece> pieces_;
  std::vector<Partial> partials_;
  std::vector<Index> buckets_;  // a power of two of them
  Index free_piece_ = kNone;
  Index free_partial_ = kNone;
  Ages waiting_;
  Ages condemned_;
};

}  // namespace penstock
