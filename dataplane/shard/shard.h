// A shard: one thread's poll loop and everything that it alone owns.
//
// step() is the whole way in, one stage a line: packets -> frames -> front doors -> blocks -> drive
// -> books.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "dataplane/door/door_map.h"
#include "dataplane/door/pdp/node/node.h"
#include "dataplane/frame/frame_decoder.h"
#include "dataplane/ledger/ledger_file.h"
#include "dataplane/port/port.h"
#include "dataplane/shard/intake.h"
#include "dataplane/shard/mailbox.h"
#include "dataplane/shard/port_outbox.h"

namespace penstock {

// One queue of one port, as a shard works it.
struct ShardPort {
  std::uint16_t number;  // of the node's ports
  PortQueue* queue;
  FrameOptions frame;
  PortAccount* account;
};

// Everything the shard is made of; what it points to outlives it.
struct ShardParts {
  unsigned number = 0;
  // After a small burst its queue is left alone for this long: each look at a queue costs as much
  // as several packets, so a shard with time to spare does with fewer looks. 0: never.
  std::int64_t coalesce_ns = 0;
  Clock* clock = nullptr;
  LogWriter* log = nullptr;
  BlockPool* pool = nullptr;
  Intake* intake = nullptr;
  DoorMap* doors = nullptr;
  pdp::PdpNode* pdp = nullptr;  // with its outbox, if a door speaks PDP
  PortOutbox* outbox = nullptr;
  Handover* handover = nullptr;  // null where there is one shard only, or no pdp
  StreamRouter* router = nullptr;
  Mailbox* mailbox = nullptr;  // null: nobody has anything to say
  LedgerArea* area = nullptr;
  ShardGauges* gauges = nullptr;
  LogEdge* edge = nullptr;
  std::vector<ShardPort> ports;
};

// One thread.
class Shard {
 public:
  explicit Shard(ShardParts parts);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // One turn of the loop. Returns whether there was anything to do.
  bool step();

  // The orderly end: takes what the queues hold, a bounded number of bursts, and no packet after
  // that, so that fragments which still wait are given up; then step_drain() until it returns true.
  // All is durable then, and nothing is left that another shard gave or wants sent: shards end
  // together, each with a thread in step_drain().
  void take_rest();
  [[nodiscard]] bool step_drain();
  [[nodiscard]] bool all_durable() const { return marked_ && parts_.log->drained(); }

  // All books as they are now.
  void publish();

 private:
  static constexpr std::size_t kBurst = 64;
  static constexpr std::size_t kSmallBurst = kBurst / 2;
  static constexpr std::size_t kPrefetchAhead = 4;
  static constexpr unsigned kRestBursts = 512;  // more than any queue has descriptors

  struct Side {
    PortQueue* queue;
    PortAccount* account;
    std::unique_ptr<FrameDecoder> decoder;
    std::array<rte_mbuf*, kBurst> answers{};
    std::array<Verdict, kBurst> verdicts{};  // of the answers; settled when the device takes them
    std::uint16_t answer_count = 0;
    MonotonicNanos look_at{0};  // not before
    std::uint16_t number = 0;   // of the node's ports
  };

  bool receive(Side& port, MonotonicNanos now);
  // Returns whether the packet is to be freed: not one that was kept, or became an answer.
  bool take_packet(Side& port, rte_mbuf*& packet, UnixNanos received);
  void take_frame(Side& port, rte_mbuf*& packet, const Datagram& datagram);
  bool obey() const;
  bool take_handed();
  bool forward_handed() const;
  bool tell_producers();
  bool take_last_handed();
  bool forward_last_handed();
  void leave(Handover::Kind kind);
  void answer(Side& port, rte_mbuf* packet, const Verdict& verdict);
  void transmit_answers(Side& port);
  void publish_if_due(MonotonicNanos now);
  void publish_own();

  ShardParts parts_;
  std::vector<Side> sides_;
  MonotonicNanos now_{0};  // of this turn
  MonotonicNanos publish_at_{0};
  std::vector<std::byte> scratch_;  // a handed packet in one piece
  bool told_away_ = false;          // no frame comes any more, and producers know
  bool marked_ = false;             // the marker of the orderly end is written
  std::array<bool, 2> gives_{};     // packets of each kind to other shards
};

}  // namespace penstock
