#include "tests/sim/producer_run.h"

#include <array>

#include <fmt/format.h>

#include "dataplane/frame/parse_datagram.h"
#include "storage/ring/io_ring_sim.h"
#include "storage/volume/device_sim.h"
#include "tests/sim/draws.h"
#include "tests/sim/node.h"
#include "tests/sim/producers.h"
#include "tests/sim/run.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kMicrosecond = 1'000;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr unsigned kStartsMax = 20;  // in a row that fail
constexpr unsigned kDrainSteps = 20'000;
constexpr unsigned kEndSteps = 60'000;
constexpr std::int64_t kLeapMax = 300 * kMillisecond;
constexpr std::uint16_t kFirstPort = 40'000;
constexpr std::size_t kProducersMax = 8;

class ProducerRun {
 public:
  ProducerRun(std::uint64_t seed, test::PacketPool& pool, std::string ledger_path)
      : rng_(seed),
        drive_(rng_.next(), clock_, draw_drive(rng_, misdirects_)),
        queue_(64 + rng_.below(512), pool.memory()),
        network_(rng_, clock_, pool, queue_),
        ground_{clock_, rng_, queue_, oracle_, std::move(ledger_path)},
        plans_(draw_plans(rng_, oracle_)) {
    options_ = draw_node(rng_, plans_.keys);
    ring_ = draw_ring(rng_);
    network_.set_options(draw_network(rng_));
    busy_ = static_cast<std::uint32_t>(20'000 + rng_.below(400'000));
    if (misdirects_) oracle_.expect_damage(drive_);
    queue_.watch([this](const rte_mbuf& packet) { see_transmitted(packet); });
  }

  ProducerOutcome go() {
    start_node();
    for (const auto& plan : plans_.plans) begin(*plan);
    for (std::uint64_t step = 0, steps = 700 + rng_.below(1800); step < steps; ++step) {
      if (oracle_.failed()) break;
      live();
      if (!drive_.has_power() || rng_.chance(2'000)) crash();
      if (rng_.chance(700)) end_in_order();
      if (rng_.chance(20'000)) stir_producers();
    }
    finish();
    outcome_.failure = oracle_.failure();
    outcome_.trace = drive_.trace() ^ oracle_.trace();
    outcome_.disk_faults = drive_.counters().faults;
    outcome_.packets = network_.counters().sent;
    outcome_.packets_lost = network_.counters().lost;
    outcome_.packets_damaged = network_.counters().damaged;
    outcome_.messages = oracle_.next_message();
    outcome_.acknowledged = oracle_.acknowledged();
    outcome_.verified = oracle_.verified();
    return outcome_;
  }

 private:
  // ---- Producers ---------------------------------------------------------------------------
  SimProducer& begin(const SessionPlan& plan) {
    producers_.push_back(
        std::make_unique<SimProducer>(plan, next_port_++, rng_, oracle_, clock_.monotonic_now()));
    return *producers_.back();
  }

  // One dies and is started anew, moves, is joined by another of its name, gives up or ends.
  void stir_producers() {
    const std::size_t chosen = rng_.below(producers_.size());
    SimProducer& producer = *producers_[chosen];
    switch (rng_.below(8)) {
      case 0:
      case 1:
        ++outcome_.producers_killed;
        kill(chosen);
        break;
      case 2:
        ++outcome_.moves;
        producer.move(next_port_++);
        break;
      case 3:
        ++outcome_.moves;
        producer.move(next_port_++);
        producer.core().open(clock_.monotonic_now(), client::Path::kAnother);
        break;
      case 4:
        if (producers_.size() == kProducersMax || !rng_.chance(200'000)) break;
        ++outcome_.takeovers;
        oracle_.contest(producer.plan().number);
        begin(producer.plan());
        break;
      case 5: producer.core().purge(rng_.chance(300'000)); break;
      case 6: producer.core().close(); break;
      default:
        if (rng_.chance(300'000)) {
          network_.options().datagram_bytes_max = 1252 + rng_.below(221);
        }
        break;
    }
  }

  void kill(std::size_t chosen) {
    const SessionPlan& plan = producers_[chosen]->plan();
    producers_.erase(producers_.begin() + static_cast<std::ptrdiff_t>(chosen));
    for (const auto& other : producers_) {
      if (&other->plan() == &plan) return;
    }
    begin(plan);
  }

  void work_producers(bool append) {
    for (std::size_t i = 0; i < producers_.size(); ++i) {
      SimProducer& producer = *producers_[i];
      if (append && producer.is_closed()) {
        kill(i);
        break;
      }
      if (append && rng_.chance(busy_)) {
        for (std::uint64_t left = 1 + rng_.below(12); left > 0; --left) {
          producer.append(clock_.monotonic_now());
        }
        if (rng_.chance(300'000)) producer.core().flush();
      }
      producer.poll(network_, clock_.monotonic_now());
    }
  }

  void deliver() {
    network_.deliver(node_ != nullptr, [this](std::uint16_t port, auto datagram, auto life) {
      for (const auto& producer : producers_) {
        if (producer->port() == port) producer->receive(datagram, life, clock_.monotonic_now());
      }
    });
  }

  void see_transmitted(const rte_mbuf& packet) {
    const auto datagram = parse_datagram(packet, UnixNanos(0), {});
    if (datagram) {
      const auto frame = pdp::decode_frame(datagram->payload, pdp::Sender::kNode);
      if (!frame) {
        oracle_.fail("the node says what is no frame");
      } else if (frame->header.type == pdp::FrameType::kAccept) {
        const auto accept = pdp::body_of<pdp::AcceptBody>(*frame);
        oracle_.accepted(SessionNumber(accept.session), accept.next);
      }
    }
    network_.send_from_node(packet, oracle_.life());
  }

  // ---- The node ----------------------------------------------------------------------------
  void start_node() {
    for (unsigned i = 0; i < kStartsMax && !oracle_.failed(); ++i) {
      if (rng_.chance(50'000)) drive_.fail_in(rng_.below(8), SimFault::kPowerCut);
      draw_secrets(rng_, *options_.pdp);
      auto started =
          Node::start(ground_, options_, make_sim_device(drive_), make_io_ring_sim(drive_, ring_));
      // The power may fail where the node can do without what it wanted to write.
      if (started && !drive_.has_power()) started = fail(Errc::kIoError, "no power");
      if (started) {
        node_ = std::move(*started);
        faults_before_ = drive_.counters().faults;
        plan_fault();
        return;
      }
      if (started.error().code != Errc::kIoError && started.error().code != Errc::kNoSpace) {
        return oracle_.fail("the node does not start: " + started.error().what);
      }
      // A flush that failed may have taken what was only written.
      oracle_.crashed(false);
      if (!drive_.has_power()) drive_.crash();
    }
    oracle_.fail("the node does not start");
  }

  void plan_fault() {
    constexpr std::array kFaults{SimFault::kError, SimFault::kShortWrite, SimFault::kPowerCut};
    if (rng_.chance(500'000)) {
      drive_.fail_in(rng_.below(400), kFaults[rng_.below(kFaults.size())]);
    }
  }

  // ---- A step ------------------------------------------------------------------------------
  void live() {
    advance();
    if (rng_.chance(2'000)) {
      clock_.step_unix(static_cast<std::int64_t>(rng_.below(7'200)) * kNanosPerSecond -
                       3'600 * kNanosPerSecond);
    }
    if (rng_.chance(2'000)) queue_.set_transmit_room(rng_.below(4));
    if (rng_.chance(50'000)) queue_.set_transmit_room(~std::uint64_t{0});
    work_producers(true);
    deliver();
    if (rng_.chance(900'000)) node_->step_shard();
    if (rng_.chance(200'000)) node_->step_keeper();
    check_books_if_due();
  }

  // A little; when nothing is under way, up to the next thing that happens.
  void advance() {
    const MonotonicNanos now = clock_.monotonic_now();
    const MonotonicNanos soon = now + static_cast<std::int64_t>(rng_.below(200)) * kMicrosecond;
    const bool quiet = queue_.waiting() == 0 && node_->log().in_flight().messages == 0;
    MonotonicNanos next = network_.next();
    for (const auto& producer : producers_) next = std::min(next, producer->next());
    if (quiet && next > soon) return clock_.advance(std::min(next - now, kLeapMax));
    clock_.advance(soon - now);
  }

  void check_books_if_due() {
    if (clock_.monotonic_now() < books_at_) return;
    books_at_ = clock_.monotonic_now() + 2 * kMillisecond;
    check_books();
  }

  void check_books() {
    node_->publish();
    node_->check_books();
    oracle_.check_lost(node_->log().producers(), node_->total().offered.count,
                       node_->frames().lost.count);
  }

  // Power cut or kill -9; what is left in the port's queue is gone with the process.
  void crash() {
    ++outcome_.crashes;
    const bool cut = !drive_.has_power() || rng_.chance(600'000);
    oracle_.crashed(!cut && drive_.counters().faults == faults_before_);
    if (cut) drive_.crash();
    restart();
  }

  void restart() {
    node_.reset();
    queue_.clear();
    stay_away();
    start_node();
  }

  // The node is not there for a while, and the producers go on.
  void stay_away() {
    if (!rng_.chance(300'000)) return;
    for (std::uint64_t left = rng_.below(60); left > 0; --left) {
      clock_.advance(static_cast<std::int64_t>(rng_.below(20)) * kMillisecond);
      work_producers(true);
      deliver();
    }
  }

  bool drain() {
    node_->take_rest();
    for (unsigned i = 0; i < kDrainSteps && drive_.has_power(); ++i) {
      if (node_->step_drain()) return true;
      while (node_->step_keeper()) {
      }
      clock_.advance(200 * kMicrosecond);
    }
    return false;
  }

  void end_in_order() {
    const bool drained = drain();
    if (drained) {
      ++outcome_.orderly_ends;
      check_books();
      while (node_->step_keeper()) {
      }
    }
    if (!drive_.has_power()) return crash();
    if (drained) deliver();
    if (drained) oracle_.ended_in_order();
    oracle_.crashed(false);
    restart();
  }

  // ---- The end: nothing goes wrong any more ------------------------------------------------
  void finish() {
    if (oracle_.failed()) return;
    drive_.heal();
    network_.heal();
    queue_.set_transmit_room(~std::uint64_t{0});
    retire_rivals();
    close_all();
    check_books();
    if (drain()) {
      oracle_.ended_in_order();
    } else if (!node_->keeper().status().full) {
      oracle_.fail(fmt::format("the node does not end: {} messages are in flight; {}",
                               node_->log().in_flight().messages,
                               node_->keeper().status().last_error));
    }
    check_books();
    crash();
    read_volume();
    node_.reset();
    queue_.clear();
  }

  // Of two that say they are the same the older one ends.
  void retire_rivals() {
    for (std::size_t i = 0; i < producers_.size();) {
      bool has_rival = false;
      for (std::size_t k = i + 1; k < producers_.size(); ++k) {
        has_rival = has_rival || &producers_[k]->plan() == &producers_[i]->plan();
      }
      if (has_rival) {
        producers_.erase(producers_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }

  // Every message reaches its level, and every CLOSE is answered.
  void close_all() {
    for (const auto& producer : producers_) producer->core().close();
    for (unsigned step = 0; step < kEndSteps && !oracle_.failed(); ++step) {
      advance();
      work_producers(false);
      deliver();
      node_->step_shard();
      node_->step_keeper();
      check_books_if_due();
      const auto closed = static_cast<std::size_t>(
          std::ranges::count_if(producers_, [](const auto& each) { return each->is_closed(); }));
      if (closed != producers_.size()) continue;
      outcome_.closed_at_end += closed;
      return;
    }
    if (oracle_.failed()) return;
    if (node_->keeper().status().full) {
      ++outcome_.full_at_end;
      return;
    }
    for (const auto& producer : producers_) {
      if (producer->is_closed()) continue;
      oracle_.fail(fmt::format("{} does not end: {} messages are held, state {}",
                               producer->plan().name, producer->core().held_messages(),
                               static_cast<int>(producer->core().state())));
    }
  }

  void read_volume() {
    if (oracle_.failed()) return;
    auto volume = Volume::open(make_sim_device(drive_, DeviceAccess::kReadOnly));
    if (!volume && misdirects_) return;
    if (!volume) return oracle_.fail("the volume does not open: " + volume.error().what);
    const auto recovered = recover_volume(*volume);
    if (!recovered && misdirects_) return;
    if (!recovered) return oracle_.fail("the volume is not read: " + recovered.error().what);
    oracle_.check(*volume, *recovered);
    if (!misdirects_ && !oracle_.failed()) oracle_.check_reader(*volume, *recovered);
  }

  bool misdirects_ = false;
  SimClock clock_;
  Rng rng_;
  SimDrive drive_;
  SimQueue queue_;
  SessionOracle oracle_;
  Network network_;
  NodeGround ground_;
  SessionPlans plans_;
  NodeOptions options_;
  SimRingOptions ring_;
  std::uint32_t busy_ = 0;  // per million steps in which a producer appends
  std::vector<std::unique_ptr<SimProducer>> producers_;
  std::uint16_t next_port_ = kFirstPort;
  std::unique_ptr<Node> node_;
  MonotonicNanos books_at_{0};
  std::uint64_t faults_before_ = 0;  // of this life's begin
  ProducerOutcome outcome_;
};

}  // namespace

ProducerOutcome run_producers(std::uint64_t seed, test::PacketPool& pool,
                              const std::string& ledger_path) {
  set_running_seed(seed);
  ProducerOutcome outcome = ProducerRun(seed, pool, ledger_path).go();
  if (outcome.failure.empty() && pool.in_use() != 0) {
    outcome.failure = fmt::format("{} packet buffers were lost", pool.in_use());
  }
  return outcome;
}

}  // namespace penstock::sim
