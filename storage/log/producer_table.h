// Which producers' sessions a log knows, and how far each of them is.
#pragma once

#include <optional>
#include <vector>

#include "base/check.h"
#include "base/result.h"
#include "storage/format/segment.h"
#include "storage/log/block_pool.h"

namespace penstock {

// How far a session is. All marks are sequences of its messages:
//   durable <= written <= placed <= next
//
// Sequences that the producer leaves out never stand in a block. A mark that is at the last message
// in front of them is behind them: what was appended has come as far, and nothing else can be
// waited for.
struct Producer {
  SessionNumber session;
  std::uint64_t next = 0;     // the next run begins here, or later
  std::uint64_t placed = 0;   // those before it have their place in a segment
  std::uint64_t written = 0;  // the writes of those before it completed; a failed write in front of
                              // them takes it back: nothing of it is durable before `durable` says
                              // so
  std::uint64_t durable = 0;  // those before it are on stable storage
  UnixNanos last_used;        // when the last run came, by use_behind(); 0: not known
};

// One thread. All memory is taken by the constructor. Entries do not move: an index is good until
// its session is evicted, and one that is pinned, or has a run in flight, is not.
class ProducerTable {
 public:
  // `key`: random, so that nobody chooses sessions that are looked for in one place.
  explicit ProducerTable(std::size_t capacity, std::uint64_t key = 0);

  // Memory of each session that it has room for.
  static constexpr std::size_t kBytesEach = 128;

  [[nodiscard]] std::size_t capacity() const { return entries_.size(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Sessions that gave way to others, ever.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

  [[nodiscard]] std::optional<ProducerIndex> find(SessionNumber session) const;
  [[nodiscard]] const Producer& at(ProducerIndex producer) const {
    return entries_[producer.value].state;
  }

  // A session that is not known. When the table is full, the one goes whose use ended first: it is
  // not pinned, and all that was appended is durable. kNoSpace: there is none.
  [[nodiscard]] Result<ProducerIndex> add(SessionNumber session, std::uint64_t next);

  // In use: it is not evicted before it is unpinned as often.
  void pin(ProducerIndex producer);
  void unpin(ProducerIndex producer);

  // The messages from `next` up to this one will not come. Nothing of that is written: what a log
  // remembers of it is in the index of the next segment that it closes, else it ends with its last
  // run.
  void set_next(ProducerIndex producer, std::uint64_t sequence);

  // ---- Of the log, about a run of messages up to `end`
  // -------------------------------------------

  // A session that the log knew before it was opened: in the order in which they were used.
  void recall(SessionNumber session, std::uint64_t next, UnixNanos last_used);
  void append(ProducerIndex producer, std::uint64_t sequence, std::uint64_t end,
              UnixNanos received) {
    Entry& entry = entries_[producer.value];
    CHECK_GE(sequence, entry.state.next);
    CHECK_LE(end, kProducerSequenceEnd);
    if (sequence != entry.state.next) set_next(producer, sequence);
    entry.state.next = entry.run_end = entry.logged_end = end;
    use(entry.state, received);
    if (entry.evictable) [[unlikely]]
      unlink(producer.value);
  }
  // A run that is appended behind others with higher numbers. Returns whether one of those ends
  // behind it: it does not when they were refused, and then this one says where the session is. No
  // mark waits for such a one: it is placed and made durable with `end` 0, and pinned in between.
  [[nodiscard]] bool append_late(ProducerIndex producer, std::uint64_t end, UnixNanos received) {
    Entry& entry = entries_[producer.value];
    CHECK_LE(end, entry.state.next);
    use(entry.state, received);
    if (end <= entry.logged_end) return true;
    entry.logged_end = end;
    pin(producer);
    return false;
  }
  void place(ProducerIndex producer, std::uint64_t end);
  void write(ProducerIndex producer, std::uint64_t end);
  // It is written then, too, whether or not write() said so before.
  void make_durable(ProducerIndex producer, std::uint64_t end);
  // What is not durable is placed and written again.
  void start_over();

  // Calls it with each session that had a run with a place in the log, ever.
  template <class F>
  void each_logged(F&& use) const {
    for (const Entry& entry : entries_) {
      if (entry.known && entry.logged) use(entry.state);
    }
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Entry {
    Producer state;
    std::uint64_t run_end = 0;     // of the last run: where the marks leap to `next`
    std::uint64_t logged_end = 0;  // of all runs, late ones too: no more than `next`
    std::uint32_t pins = 0;
    bool known = false;      // else it is free
    bool logged = false;     // each_logged() tells of it
    bool evictable = false;  // it stands in the list from oldest_ to newest_
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;  // of a free one: the next free one
  };

  [[nodiscard]] std::size_t home_of(SessionNumber session) const;
  [[nodiscard]] std::size_t place_of(SessionNumber session) const;
  [[nodiscard]] static std::uint64_t mark(const Entry& entry, std::uint64_t end) {
    return end == entry.run_end ? entry.state.next : end;
  }
  static void use(Producer& state, UnixNanos now) {
    state.last_used = UnixNanos(use_behind(state.last_used.value, now.value));
  }
  void evict(std::uint32_t number);
  void link_if_evictable(std::uint32_t number);
  void unlink(std::uint32_t number);

  static_assert(sizeof(Entry) + 4 * sizeof(std::uint32_t) <= kBytesEach);

  std::uint64_t key_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> places_;  // of entries, by hash of their session; a power of two
  std::size_t size_ = 0;
  std::uint32_t free_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::uint64_t forgotten_ = 0;
};

}  // namespace penstock
