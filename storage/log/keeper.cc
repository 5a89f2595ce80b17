#include "storage/log/keeper.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::int64_t kRetryPauseNs = kNanosPerSecond;

}  // namespace

Keeper::Keeper(Volume& volume, const KeeperOptions& options, Clock& clock)
    : volume_(volume), options_(options), clock_(clock) {}

void Keeper::know_slot(SlotIndex slot) {
  ++status_.slots;
  next_new_slot_ = std::max(next_new_slot_, SlotIndex(slot.value + 1));
}

void Keeper::add_log(LogNumber number, SegmentChannel* channel, std::vector<KeptSegment> segments) {
  for (const KeptSegment& segment : segments) know_slot(SlotIndex(segment.header.slot));
  logs_[number] = Log{.channel = channel, .segments = std::move(segments)};
}

void Keeper::add_free_slot(SlotIndex slot) {
  know_slot(slot);
  free_.push_back(slot);
  status_.free_slots = free_.size();
}

void Keeper::add_quarantined_slot(SlotIndex slot) {
  know_slot(slot);
  ++status_.quarantined_slots;
}

const std::vector<KeptSegment>& Keeper::segments(LogNumber log) const {
  return logs_.at(log).segments;
}

bool Keeper::step() {
  bool worked = false;
  for (auto& [number, log] : logs_) {
    worked |= handle_events(log);
    worked |= retire_by_rule(number, log);
  }
  worked |= keep_space_free();
  for (auto& [number, log] : logs_) {
    if (prepare_one(number, log)) return true;
  }
  return worked;
}

bool Keeper::handle_events(Log& log) {
  if (log.channel == nullptr) return false;
  bool worked = false;
  while (auto event = log.channel->events.pop()) {
    worked = true;
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
        release(SlotIndex(event->header.slot));
        break;
    }
  }
  return worked;
}

// Whether the oldest segment may go: closed, and not the newest closed one, whose index holds where
// every partition goes on.
bool Keeper::can_retire(const Log& log) {
  if (log.segments.size() < 2) return false;
  const auto closed = std::ranges::count_if(log.segments, &KeptSegment::closed);
  return closed > (log.segments.front().closed ? 1 : 0);
}

bool Keeper::retire_by_rule(LogNumber number, Log& log) {
  if (clock_.monotonic_now() < retry_at_) return false;
  const Retention& rule = options_.retention;
  bool retired = false;
  while (can_retire(log)) {
    const KeptSegment& oldest = log.segments.front();
    const bool too_many = rule.max_bytes != 0 &&
                          log.segments.size() * volume_.superblock().segment_bytes > rule.max_bytes;
    const bool too_old = rule.max_age_ns != 0 && oldest.closed &&
                         clock_.unix_now().value - oldest.footer.last_received_ns > rule.max_age_ns;
    if (!too_many && !too_old) break;
    if (auto done = retire_oldest(number, log); !done) {
      status_.last_error = done.error().what;
      retry_at_ = clock_.monotonic_now() + kRetryPauseNs;
      break;
    }
    retired = true;
  }
  return retired;
}

// The header goes first, durably: else a segment could come back with a crash, and without its
// younger neighbours whose slots were used again.
Result<> Keeper::retire_oldest(LogNumber number, Log& log) {
  const SlotIndex slot(log.segments.front().header.slot);
  if (auto done = mark_free(number, slot); !done) return done;
  log.segments.erase(log.segments.begin());
  ++status_.retired_segments;
  release(slot);
  return {};
}

// Gives space back to the file system while others leave too little of it: free slots first, then
// the oldest segment of the longest log. One slot a call.
bool Keeper::keep_space_free() {
  const std::uint64_t least = options_.retention.min_free_bytes;
  const MonotonicNanos now = clock_.monotonic_now();
  if (least == 0 || now < space_at_) return false;
  const auto space = volume_.device().space();
  if (!space || space->free_bytes >= least) {
    space_at_ = now + kRetryPauseNs;
    return false;
  }
  if (free_.empty()) {
    const auto longest = std::ranges::max_element(logs_, {}, [](const auto& entry) {
      return can_retire(entry.second) ? entry.second.segments.size() : 0;
    });
    if (longest == logs_.end() || !can_retire(longest->second) ||
        !retire_oldest(longest->first, longest->second)) {
      space_at_ = now + kRetryPauseNs;
      return false;
    }
  }
  if (auto removed = volume_.device().remove_slot(free_.back()); !removed) {
    status_.last_error = removed.error().what;
    space_at_ = now + kRetryPauseNs;
    return false;
  }
  removed_.push_back(free_.back());
  free_.pop_back();
  status_.free_slots = free_.size();
  --status_.slots;
  return true;
}

void Keeper::release(SlotIndex slot) {
  retry_at_ = MonotonicNanos(0);
  free_.push_back(slot);
  status_.free_slots = free_.size();
}

bool Keeper::rules_allow_retiring() const {
  const Retention& rule = options_.retention;
  return rule.max_bytes != 0 || rule.max_age_ns != 0 || rule.min_free_bytes != 0;
}

bool Keeper::prepare_one(LogNumber number, Log& log) {
  if (log.channel == nullptr || log.ready >= options_.ready_slots) return false;
  const bool pausing = clock_.monotonic_now() < retry_at_;
  auto slot =
      pausing ? Result<SlotIndex>(fail(Errc::kBusy, status_.last_error)) : free_slot(number, log);
  if (!slot) {
    status_.last_error = slot.error().what;
    status_.full = log.ready == 0;
    // relaxed: a hint for the log's books.
    log.channel->full.store(status_.full, std::memory_order_relaxed);
    if (!pausing) retry_at_ = clock_.monotonic_now() + kRetryPauseNs;
    return false;
  }
  auto file = make_ready(number, *slot);
  if (!file) {
    status_.last_error = file.error().what;
    // Another slot may be good where this one is not: it goes to the end of the row.
    free_.insert(free_.begin(), *slot);
    status_.free_slots = free_.size();
    retry_at_ = clock_.monotonic_now() + kRetryPauseNs;
    return false;
  }
  const SegmentSequence oldest(log.segments.empty() ? 0 : log.segments.front().header.sequence);
  CHECK(log.channel->ready.push({*slot, *file, oldest}));
  ++log.ready;
  log.channel->full.store(false, std::memory_order_relaxed);
  status_.full = false;
  status_.last_error.clear();
  return true;
}

// A slot to prepare: a free one, a new one, or the oldest segment's if the rules let it go.
Result<SlotIndex> Keeper::free_slot(LogNumber number, Log& log) {
  VolumeDevice& device = volume_.device();
  const std::uint64_t bytes = volume_.superblock().segment_bytes;
  if (free_.empty()) {
    const bool within =
        options_.capacity_bytes == 0 || (status_.slots + 1) * bytes <= options_.capacity_bytes;
    std::string why =
        fmt::format("the volume's capacity of {} MiB is used up", options_.capacity_bytes / kMiB);
    if (within) {
      auto made = make_new_slot();
      if (made) return made;
      why = made.error().what;
    }
    if (!rules_allow_retiring() || !can_retire(log)) {
      return fail(Errc::kNoSpace,
                  fmt::format("{}: no segment is free: {}; raise capacity, or let retention delete",
                              device.name(), why));
    }
    if (auto done = retire_oldest(number, log); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  const SlotIndex slot = free_.back();
  free_.pop_back();
  status_.free_slots = free_.size();
  return slot;
}

Result<SlotIndex> Keeper::make_new_slot() {
  VolumeDevice& device = volume_.device();
  const std::uint64_t bytes = volume_.superblock().segment_bytes;
  auto space = device.space();
  if (!space) return std::unexpected(std::move(space.error()));
  if (space->free_bytes < bytes + options_.retention.min_free_bytes) {
    return fail(Errc::kNoSpace,
                fmt::format("{} MiB are free on {}", space->free_bytes / kMiB, device.name()));
  }
  const SlotIndex slot = removed_.empty() ? next_new_slot_ : removed_.back();
  if (auto made = device.create_slot(slot); !made) return std::unexpected(std::move(made.error()));
  if (!removed_.empty()) removed_.pop_back();
  know_slot(slot);
  return slot;
}

Result<> Keeper::mark_free(LogNumber log, SlotIndex slot) {
  const Superblock& superblock = volume_.superblock();
  const PageBuffer page = allocate_pages(kPageBytes);
  SegmentHeader header{};
  header.volume = superblock.volume;
  header.log = log.value;
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
  if (done) done = mark_free(log, slot);
  if (!done) return std::unexpected(std::move(done.error()));
  return device.open_slot(slot);
}

}  // namespace penstock
