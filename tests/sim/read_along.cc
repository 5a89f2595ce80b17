#include "tests/sim/read_along.h"

#include <algorithm>

#include <fmt/format.h>

#include "storage/volume/device_sim.h"

namespace penstock::sim {
namespace {

constexpr std::uint32_t kBegins = 30'000;  // per million steps: it is another process
constexpr std::size_t kItems = 400;        // of a step at most

}  // namespace

void ReadAlong::step(const LogWatermarks& watermarks) {
  if (!drive_.has_power()) return;
  if (reader_ == nullptr || rng_.chance(kBegins)) {
    open(end_of(watermarks));
    if (reader_ == nullptr) return;
    seek();
  }
  end_ = end_of(watermarks);
  reader_->refresh(end_);
  read(rng_.below(kItems));
}

void ReadAlong::read_all(const LogWatermarks& watermarks) {
  open(end_of(watermarks));
  if (reader_ != nullptr) read(~std::size_t{0});
}

void ReadAlong::open(const LogEnd& end) {
  reader_.reset();
  auto volume = Volume::open(make_sim_device(drive_, DeviceAccess::kReadOnly));
  const bool may_fail = oracle_.expects_damage();  // to be tried again
  if (!volume && may_fail) return;
  if (!volume) return oracle_.fail("a reader cannot open the volume: " + volume.error().what);
  volume_ = std::make_unique<Volume>(std::move(*volume));
  const auto recovered = recover_volume(*volume_);
  if (!recovered && may_fail) return;
  if (!recovered) return oracle_.fail("a reader cannot recover: " + recovered.error().what);
  const auto log = recovered->logs.find(LogNumber(0));
  if (log == recovered->logs.end()) return;
  view_.reset();
  if (rng_.chance(750'000)) view_ = rng_.below(kStreamCount);
  std::optional<StreamId> stream;
  if (view_) stream = kStreamIds[*view_];
  end_ = end;
  reader_ = std::make_unique<LogReader>(*volume_, LogNumber(0), stream, log->second, end_);
  place_ = 0;
  begun_ = noted_ = false;
  from_.reset();
  from_offset_ = 0;
}

void ReadAlong::seek() {
  if (oracle_.expects_damage()) return;  // to where, depends on what is damaged
  const Journal& journal = oracle_.journal();
  const std::size_t durable = journal.count_before(view_, end_.durable.value);
  Result<> done;
  switch (rng_.below(5)) {
    case 0: return;
    case 1:
      done = reader_->seek_end();
      place_ = durable;
      break;
    case 2: {
      const std::uint64_t count = rng_.below(durable + 10);
      done = reader_->seek_last(count);
      place_ = durable - std::min<std::size_t>(durable, count);
      break;
    }
    case 3:
      if (!seek_time()) return;
      break;
    default:
      if (!view_) return;
      const std::uint64_t offset = rng_.below(journal.next_offset(*view_) + 5);
      done = reader_->seek_offset(Offset(offset));
      place_ = journal.place_of(*view_, offset);
      from_offset_ = offset;
      begun_ = offset < journal.next_offset(*view_);  // what is trimmed has to be told
  }
  if (!done) oracle_.fail("a reader cannot seek: " + done.error().what);
}

bool ReadAlong::seek_time() {
  const Journal& journal = oracle_.journal();
  const std::size_t durable = journal.count_before(view_, end_.durable.value);
  if (durable == 0) return false;
  const UnixNanos about = journal.at(view_, rng_.below(durable)).received;
  from_ = about + (static_cast<std::int64_t>(rng_.below(3)) - 1);
  const auto done = reader_->seek_time(*from_);
  if (!done) oracle_.fail("a reader cannot seek a time: " + done.error().what);
  return done.has_value();
}

void ReadAlong::read(std::size_t items) {
  for (; items > 0 && !oracle_.failed(); --items) {
    const auto item = reader_->next();
    if (!item && oracle_.expects_damage()) return;  // to be tried again
    if (!item) return oracle_.fail("reading fails: " + item.error().what);
    if (std::holds_alternative<AtEnd>(*item)) return take_end();
    if (const auto* gap = std::get_if<Gap>(&*item)) {
      take(*gap);
    } else {
      take(std::get<Record>(*item));
    }
  }
}

// The place of a record in the view; behind its end when it is not there.
std::size_t ReadAlong::find(const Record& record) {
  const Journal& journal = oracle_.journal();
  const auto stream = std::ranges::find(kStreamIds, record.stream);
  if (stream == kStreamIds.end()) return journal.size(view_);
  const auto number = static_cast<std::size_t>(stream - kStreamIds.begin());
  const std::size_t place = journal.place_of(number, record.offset.value);
  if (place == journal.size(number) ||
      journal.at(number, place).offsets[number] != record.offset.value) {
    return journal.size(view_);
  }
  return view_ ? place : journal.place_in_all(number, place);
}

void ReadAlong::take(const Record& record) {
  const Journal& journal = oracle_.journal();
  ++records_;
  const std::size_t place = find(record);
  if (place == journal.size(view_)) {
    return oracle_.fail(fmt::format("offset {} of stream {:x} is read and was never durable",
                                    record.offset, record.stream));
  }
  const Entry& entry = journal.at(view_, place);
  if (place < place_) {
    return oracle_.fail(fmt::format("message {} is read again or out of order", entry.number));
  }
  if (entry.block >= end_.durable.value) {
    return oracle_.fail(
        fmt::format("message {} of block {} is read, the log is durable to block {}", entry.number,
                    entry.block, end_.durable));
  }
  if (entry.received != record.message.received) {
    return oracle_.fail(fmt::format("message {} has the time {} and not {}", entry.number,
                                    record.message.received, entry.received));
  }
  if (!oracle_.check_message(entry.number, record.message)) return;
  if (view_ && record.offset.value < from_offset_) {
    return oracle_.fail(fmt::format("offset {} is before the one asked for", record.offset));
  }
  if (from_ && !begun_ && entry.received < *from_) {
    return oracle_.fail(fmt::format("message {} is before the time asked for", entry.number));
  }
  pass(place);
  place_ = place + 1;
  begun_ = true;
  noted_ = false;
  oracle_.trace(entry.number);
}

// A reader that was told of a gap.
bool ReadAlong::may_be_missing(const Entry& entry) const {
  return oracle_.journal().is_retired(entry.block) || oracle_.expects_damage();
}

bool ReadAlong::may_pass(std::size_t place) const {
  const Entry& entry = oracle_.journal().at(view_, place);
  if (noted_ && may_be_missing(entry)) return true;
  // Of what retention took, or a lost header, in front of all the rest nobody is told who asked for
  // no offset.
  if (!begun_ && may_be_missing(entry)) return true;
  if (view_ && entry.offsets[*view_] < from_offset_) return true;
  return !begun_ && from_ && entry.received < *from_;
}

void ReadAlong::pass(std::size_t place) {
  for (std::size_t i = place_; i < place; ++i) {
    if (may_pass(i)) continue;
    const Entry& entry = oracle_.journal().at(view_, i);
    return oracle_.fail(
        fmt::format("message {} of block {} is not read", entry.number, entry.block));
  }
}

void ReadAlong::take(const Gap& gap) {
  const Journal& journal = oracle_.journal();
  ++gaps_;
  oracle_.trace(gap.next.value);
  if (gap.kind != GapKind::kTrimmed && !oracle_.expects_damage()) {
    return oracle_.fail(fmt::format("a {} gap: {}", to_string(gap.kind), gap.what));
  }
  if (!view_ || gap.first == gap.next) {
    noted_ = true;
    return;
  }
  const std::size_t first = journal.place_of(*view_, gap.first.value);
  const std::size_t next = journal.place_of(*view_, gap.next.value);
  if (begun_ && first != place_) {
    return oracle_.fail(fmt::format("a gap from offset {} on: {}", gap.first, gap.what));
  }
  for (std::size_t i = first; i < next; ++i) {
    if (may_be_missing(journal.at(view_, i))) continue;
    return oracle_.fail(fmt::format("a gap of what is there: {}", gap.what));
  }
  place_ = next;
  begun_ = true;
  noted_ = false;
}

void ReadAlong::take_end() {
  const std::size_t end = oracle_.journal().count_before(view_, end_.durable.value);
  if (end > place_) pass(end);
  if (noted_) return;
  // Whatever was passed over to get here, nothing more may be from now on.
  place_ = std::max(place_, end);
  begun_ |= !from_;
}

}  // namespace penstock::sim
