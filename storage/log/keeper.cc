#include "storage/log/keeper.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::int64_t kRetryPauseNs = kNanosPerSecond;
// A segment that cannot be retired is tried again after this, so often: then it is left as it is.
constexpr std::int64_t kRetirePauseNs = 10 * kNanosPerSecond;
constexpr unsigned kRetireTries = 3;

}  // namespace

Keeper::Keeper(Volume& volume, const KeeperOptions& options, Clock& clock)
    : volume_(volume),
      options_(options),
      clock_(clock),
      supply_(volume,
              {.capacity_bytes = options.capacity_bytes,
               .min_free_bytes = options.retention.min_free_bytes},
              clock) {}

void Keeper::add_log(LogNumber number, SegmentChannel* channel, std::vector<KeptSegment> segments) {
  for (const KeptSegment& segment : segments) supply_.know(SlotIndex(segment.header.slot));
  logs_[number] = Log{.channel = channel, .segments = std::move(segments)};
  update_status();
}

void Keeper::add_free_slot(SlotIndex slot) {
  supply_.know(slot);
  supply_.add_free(slot);
  update_status();
}

void Keeper::add_void_slot(SlotIndex slot) {
  supply_.know(slot);
  void_.push_back(slot);
  update_status();
}

void Keeper::add_quarantined_slot(SlotIndex slot) {
  supply_.know(slot);
  ++quarantined_;
  update_status();
}

const std::vector<KeptSegment>& Keeper::segments(LogNumber log) const {
  return logs_.at(log).segments;
}

bool Keeper::all_have_slots() const {
  return std::ranges::all_of(logs_, [](const auto& entry) {
    return entry.second.channel == nullptr || entry.second.ready > 0;
  });
}

bool Keeper::step() {
  bool worked = false;
  for (auto& [number, log] : logs_) worked |= handle_events(log);
  worked |= free_void_slot();
  for (auto& [number, log] : logs_) {
    if (is_due(log)) worked |= retire_oldest(log);
  }
  worked |= keep_space_free();
  worked |= prepare_one();
  update_status();
  return worked;
}

bool Keeper::handle_events(Log& log) {
  if (log.channel == nullptr) return false;
  bool worked = false;
  while (auto event = log.channel->events.pop()) {
    worked = true;
    const SlotIndex slot(event->header.slot);
    const auto same = [&](const KeptSegment& kept) {
      return kept.header.sequence == event->header.sequence;
    };
    switch (event->kind) {
      case SegmentEvent::Kind::kTaken:
        --log.ready;
        log.segments.push_back({event->header});
        break;
      case SegmentEvent::Kind::kClosed: {
        volume_.device().close_slot(event->file);
        const auto kept = std::ranges::find_if(log.segments, same);
        CHECK(kept != log.segments.end());
        kept->closed = true;
        kept->footer = event->footer;
        break;
      }
      case SegmentEvent::Kind::kPoisoned: volume_.device().close_slot(event->file); break;
      case SegmentEvent::Kind::kVoid:
        volume_.device().close_slot(event->file);
        // Its header may never have become durable: then it was not counted as taken.
        if (std::erase_if(log.segments, same) == 0) --log.ready;
        void_.push_back(slot);
        break;
    }
  }
  return worked;
}

// The header of a void segment may lie on the drive, and must not make data of it when the younger
// segment is gone.
bool Keeper::free_void_slot() {
  if (void_.empty() || clock_.monotonic_now() < void_at_) return false;
  const SlotIndex slot = void_.back();
  if (auto freed = mark_free(0, slot); freed) {
    supply_.add_free(slot);
    retry_at_ = MonotonicNanos(0);
  } else {
    fault_ = freed.error().what;
    void_at_ = clock_.monotonic_now() + kRetirePauseNs;
    if (++void_failures_ < kRetireTries) return false;
    void_at_ = MonotonicNanos(0);
    supply_.rest(slot);
  }
  void_failures_ = 0;
  void_.pop_back();
  return true;
}

// Whether the oldest segment may go: not the last one, and not the newest closed one, whose index
// holds where every partition goes on.
bool Keeper::can_retire(const Log& log) const {
  if (!void_.empty() || log.segments.size() < 2 || clock_.monotonic_now() < log.retire_at)
    return false;
  const auto closed = std::ranges::count_if(log.segments, &KeptSegment::closed);
  return closed > (log.segments.front().closed ? 1 : 0);
}

// By a rule of the log's own.
bool Keeper::is_due(const Log& log) const {
  const Retention& rule = options_.retention;
  if (!can_retire(log)) return false;
  const std::uint64_t bytes = log.segments.size() * volume_.superblock().segment_bytes;
  if (rule.max_bytes != 0 && bytes > rule.max_bytes) return true;
  const KeptSegment& oldest = log.segments.front();
  // One without a footer got its last message before the next one was begun.
  const std::int64_t last =
      oldest.closed ? oldest.footer.last_received_ns : log.segments[1].header.created_ns;
  return rule.max_age_ns != 0 && clock_.unix_now().value - last > rule.max_age_ns;
}

bool Keeper::rules_allow_retiring() const {
  const Retention& rule = options_.retention;
  return rule.max_bytes != 0 || rule.max_age_ns != 0 || rule.min_free_bytes != 0;
}

// When the volume needs room: that with the oldest segment of all; of equally old ones the longest.
Keeper::Log* Keeper::log_to_shorten() {
  const auto age = [](const Log& log) {
    return std::pair(log.segments.front().header.created_ns,
                     -static_cast<std::int64_t>(log.segments.size()));
  };
  Log* oldest = nullptr;
  for (auto& [number, log] : logs_) {
    if (!can_retire(log)) continue;
    if (oldest == nullptr || age(log) < age(*oldest)) oldest = &log;
  }
  return oldest;
}

// The header goes first, durably: else a segment could come back with a crash, and without its
// younger neighbours whose slots were used again. False: it stays for now.
bool Keeper::retire_oldest(Log& log) {
  const SegmentHeader& header = log.segments.front().header;
  const SlotIndex slot(header.slot);
  if (auto freed = mark_free(header.log, slot); !freed) {
    fault_ = freed.error().what;
    log.retire_at = clock_.monotonic_now() + kRetirePauseNs;
    if (++log.failures < kRetireTries) return false;
    // Where even that page cannot be written, the slot is good for nothing more: what it holds is
    // left alone, and must not keep the others.
    ++quarantined_;
    log.retire_at = MonotonicNanos(0);
  } else {
    supply_.add_free(slot);
    ++status_.retired_segments;
    retry_at_ = MonotonicNanos(0);
  }
  log.failures = 0;
  log.segments.erase(log.segments.begin());
  return true;
}

// Gives space back to the file system while others leave too little of it: free slots first, then
// the oldest segment. One slot a call.
bool Keeper::keep_space_free() {
  const std::uint64_t least = options_.retention.min_free_bytes;
  const MonotonicNanos now = clock_.monotonic_now();
  if (least == 0 || now < space_at_) return false;
  const auto space = volume_.device().space();
  const bool enough = !space || space->free_bytes >= least;
  if (!enough && supply_.free_slots() == 0) {
    if (Log* log = log_to_shorten()) retire_oldest(*log);
  }
  const auto removed = enough ? Result<bool>(false) : supply_.remove_free();
  if (!removed) fault_ = removed.error().what;
  if (removed && *removed) return true;
  space_at_ = now + kRetryPauseNs;
  return false;
}

// The log that has the fewest slots ready, and fewer than it should; of equals, in turn.
std::optional<LogNumber> Keeper::neediest() const {
  std::optional<LogNumber> found;
  std::pair<unsigned, bool> least;
  for (const auto& [number, log] : logs_) {
    if (log.channel == nullptr || log.ready >= options_.ready_slots) continue;
    const std::pair need(log.ready, number <= served_);
    if (found && least <= need) continue;
    found = number;
    least = need;
  }
  return found;
}

bool Keeper::prepare_one() {
  if (clock_.monotonic_now() < retry_at_) return false;
  const auto number = neediest();
  if (!number) {
    shortage_.reset();
    return false;
  }
  auto slot = take_slot();
  if (!slot) {
    shortage_ = std::move(slot.error());
    retry_at_ = clock_.monotonic_now() + kRetryPauseNs;
    return false;
  }
  if (!*slot) return true;
  auto file = make_ready(*number, **slot);
  if (!file) {
    // Another slot may be good where this one is not.
    fault_ = file.error().what;
    supply_.rest(**slot);
    return true;
  }
  Log& log = logs_.at(*number);
  const SegmentSequence oldest(log.segments.empty() ? 0 : log.segments.front().header.sequence);
  CHECK(log.channel->ready.push({**slot, *file, oldest}));
  ++log.ready;
  served_ = *number;
  shortage_.reset();
  return true;
}

// A free slot, a new one, or the oldest segment's if the rules let it go; nothing while one is
// made.
Result<std::optional<SlotIndex>> Keeper::take_slot() {
  auto slot = supply_.take();
  if (slot || slot.error().code != Errc::kNoSpace) return slot;
  Log* log = rules_allow_retiring() ? log_to_shorten() : nullptr;
  if (log == nullptr) {
    return fail(Errc::kNoSpace,
                slot.error().what +
                    ", and no segment may be deleted: make room, raise capacity, or "
                    "let retention delete");
  }
  if (!retire_oldest(*log)) return fail(Errc::kIoError, fault_);
  return supply_.take();
}

Result<> Keeper::mark_free(std::uint32_t log, SlotIndex slot) {
  const Superblock& superblock = volume_.superblock();
  const PageBuffer page = allocate_pages(kPageBytes);
  SegmentHeader header{};
  header.volume = superblock.volume;
  header.log = log;
  header.slot = slot.value;
  header.state = SlotState::kFree;
  header.segment_bytes = superblock.segment_bytes;
  header.created_ns = clock_.unix_now().value;
  encode_segment_header({page.get(), kPageBytes}, header);
  return volume_.device().write(slot, 0, {page.get(), kPageBytes});
}

// Leaves no footer and a free header, durably, before the slot is used again: whatever it held
// before cannot come back.
Result<SlotFile> Keeper::make_ready(LogNumber log, SlotIndex slot) {
  VolumeDevice& device = volume_.device();
  const PageBuffer page = allocate_pages(kPageBytes);
  auto done =
      device.write(slot, volume_.superblock().segment_bytes - kPageBytes, {page.get(), kPageBytes});
  if (done) done = mark_free(log.value, slot);
  if (!done) return std::unexpected(std::move(done.error()));
  return device.open_slot(slot);
}

// A log that waits for a slot books its messages by this.
void Keeper::tell_shortage() {
  for (auto& [number, log] : logs_) {
    if (log.channel == nullptr) continue;
    Shortage why = Shortage::kNone;
    if (shortage_ && log.ready == 0) {
      why = shortage_->code == Errc::kNoSpace ? Shortage::kFull : Shortage::kFailed;
    }
    // relaxed: a hint for the log's books.
    log.channel->shortage.store(why, std::memory_order_relaxed);
  }
}

void Keeper::update_status() {
  tell_shortage();
  const bool failing =
      supply_.resting_slots() > 0 || void_failures_ > 0 ||
      std::ranges::any_of(logs_, [](const auto& entry) { return entry.second.failures > 0; });
  if (!failing) fault_.clear();
  const bool waiting = shortage_ && !all_have_slots();
  status_.full = waiting && shortage_->code == Errc::kNoSpace;
  status_.last_error = waiting ? shortage_->what : fault_;
  status_.slots = supply_.slots();
  status_.free_slots = supply_.free_slots();
  status_.quarantined_slots = quarantined_ + void_.size() + supply_.resting_slots();
}

}  // namespace penstock
