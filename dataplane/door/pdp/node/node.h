// The node's end of PDP on one shard (docs/pdp.md): frames come in, messages go to the log, answers
// go to the outbox.
#pragma once

#include "base/clock.h"
#include "dataplane/door/pdp/node/handshake.h"

namespace penstock::pdp {

// One thread. What it is given outlives it. All memory is taken by the constructor.
class PdpNode final : public LogObserver {
 public:
  PdpNode(NodeOptions options, const Secrets::Seed& seed, Intake& intake, StreamRouter& router,
          LogWriter& log, Outbox& outbox, FrameAccount& account);

  // A datagram that came to the door by the node's port of that number; `link` is its frame's
  // Ethernet header, empty when it was put together from fragments. Returns the shard whose session
  // it is: another one's is not looked into, nor counted.
  [[nodiscard]] unsigned take(const Datagram& datagram, std::span<const std::byte> link,
                              std::uint16_t port, MonotonicNanos now);
  // What became of one that is another shard's.
  void count_handed(std::size_t bytes, bool taken) {
    account_.received.add(bytes);
    count(taken ? FrameFate::kHandedOver : FrameFate::kNotHandedOver, bytes);
  }

  // The end of a turn: who waits for the log goes on, who is to be told is told, who was silent for
  // too long is forgotten. Returns whether there was anything to do.
  bool turn(MonotonicNanos now);

  // Whether a producer waits for an answer that turn() gives.
  [[nodiscard]] bool owes_answers() const { return !acknowledger_.all_told(); }

  // No session is opened any more, and who has one is told that the node ends.
  void go_away(std::uint32_t deadline_ms);

  void on_written(const Block& block) override;
  void on_durable(const Block& block) override;

 private:
  struct Came {
    const Datagram& datagram;
    Frame frame;
    std::span<const std::byte> link;
    std::uint16_t port;
    MonotonicNanos now;
  };
  // Nearly all come from where their session's last one did, and need none.
  [[nodiscard]] Peer peer_of(const Came& came) const {
    return penstock::peer_of(came.datagram, came.link, options_.ports[came.port].ethernet,
                             came.port);
  }
  [[nodiscard]] unsigned owner_of(const Frame& frame) const;
  [[nodiscard]] std::optional<FrameFate> dispatch(const Came& came);
  [[nodiscard]] std::optional<FrameFate> take_connected(const Came& came);
  [[nodiscard]] std::optional<FrameFate> take_of(Session& session, const Came& came);
  [[nodiscard]] FrameFate reset(const Came& came);
  [[nodiscard]] std::optional<FrameFate> judge_seal(Session& session, const Came& came);
  void note_path(Session& session, const Came& came);
  [[nodiscard]] FrameFate take_response(Session& session, const Came& came);
  [[nodiscard]] FrameFate take_close(Session& session, const Came& came);
  [[nodiscard]] FrameFate take_subject(Session& session, const Came& came);
  void note_levels(const Block& block, Level least);
  void sweep(MonotonicNanos now);
  void forget_if_silent(Session& session, MonotonicNanos now);
  void count(FrameFate fate, std::size_t bytes) { account_[fate].add(bytes); }

  NodeOptions options_;
  Secrets secrets_;
  LogWriter& log_;
  ProducerTable& producers_;
  FrameAccount& account_;
  FrameSender sender_;
  SessionTable sessions_;
  HoldPool held_;
  Acknowledger acknowledger_;
  Sequencer sequencer_;
  Handshake handshake_;
  TokenBucket resets_;
  std::size_t swept_ = 0;  // the next place to look at for silence
  MonotonicNanos sweep_at_{0};
};

}  // namespace penstock::pdp
