#include "storage/ring/sim_drive.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "storage/format/format.h"

namespace penstock {
namespace {

std::int32_t errno_of(SimFault fault) {
  switch (fault) {
    case SimFault::kNoSpace: return ENOSPC;
    case SimFault::kInterrupted: return EINTR;
    case SimFault::kTryAgain: return EAGAIN;
    case SimFault::kError:
    case SimFault::kShortWrite:
    case SimFault::kPowerCut: return EIO;
  }
  CHECK(false);
}

}  // namespace

SimDrive::SimDrive(std::uint64_t seed, Clock& clock, const SimDriveOptions& options)
    : rng_(seed), clock_(clock), options_(options) {}

void SimDrive::fail_in(std::uint64_t operations, SimFault fault, bool for_ever) {
  const std::uint64_t number = counters_.operations + operations;
  planned_[number] = fault;
  if (for_ever) failing_from_ = {number, fault};
}

void SimDrive::heal() {
  options_.rates = {};
  planned_.clear();
  failing_from_.reset();
}

SimDrive SimDrive::fork(std::uint64_t seed) const {
  SimDrive other = *this;
  other.rng_ = Rng(seed);
  other.watcher_ = nullptr;
  other.heal();
  return other;
}

void SimDrive::trace(std::uint64_t value) {
  trace_ = (trace_ ^ value) * 0x9E3779B97F4A7C15ULL;
  trace_ ^= trace_ >> 29U;
}

std::optional<SimFault> SimDrive::next_fault(bool flush) {
  const SimFaultRates& rates = options_.rates;
  const std::uint64_t number = counters_.operations++;
  const auto planned = planned_.find(number);
  std::optional<SimFault> fault;
  if (planned != planned_.end()) {
    fault = planned->second;
  } else if (failing_from_ && number >= failing_from_->first) {
    fault = failing_from_->second;
  } else if (rng_.chance(flush ? rates.flush_error : rates.write_error)) {
    constexpr std::array kErrors{SimFault::kError, SimFault::kNoSpace, SimFault::kInterrupted,
                                 SimFault::kTryAgain};
    fault = kErrors[rng_.below(kErrors.size())];
  } else if (!flush && rng_.chance(rates.short_write)) {
    fault = SimFault::kShortWrite;
  }
  if (fault == SimFault::kPowerCut) {
    powered_ = false;
  } else if (fault) {
    ++counters_.faults;
  }
  return fault;
}

SimDrive::Landing SimDrive::draw_landing() { return static_cast<Landing>(rng_.below(3)); }

// A torn write: mostly its beginning, or any of its sectors.
std::vector<bool> SimDrive::draw_sectors(std::uint64_t bytes, Landing landing) {
  std::vector<bool> lands(bytes / kSectorBytes, landing == Landing::kAll);
  if (landing != Landing::kSome) return lands;
  const std::size_t cut = rng_.below(lands.size() + 1);
  const bool prefix = rng_.chance(500'000);
  for (std::size_t i = 0; i < lands.size(); ++i) {
    lands[i] = prefix ? i < cut : rng_.chance(500'000);
  }
  return lands;
}

void SimDrive::make_cache(File& file) {
  if (file.cached.empty()) file.cached = file.stable;
}

// Into the cache, where there is one, and with `stable` also to stable storage.
void SimDrive::write_sectors(File& file, std::uint64_t offset, std::span<const std::byte> from,
                             Landing landing, bool stable) {
  CHECK_LE(offset + from.size(), file.stable.size());
  if (!stable) make_cache(file);
  const std::vector<bool> lands = draw_sectors(from.size(), landing);
  for (std::size_t i = 0; i < lands.size(); ++i) {
    if (!lands[i]) continue;
    const std::size_t at = i * kSectorBytes;
    if (stable) std::memcpy(&file.stable[offset + at], &from[at], kSectorBytes);
    if (!file.cached.empty()) std::memcpy(&file.cached[offset + at], &from[at], kSectorBytes);
  }
}

// Decides what of a write in the cache becomes stable.
void SimDrive::settle(File& file, const Dirty& dirty, Landing landing) {
  const std::vector<bool> lands = draw_sectors(dirty.bytes, landing);
  for (std::size_t i = 0; i < lands.size(); ++i) {
    const std::size_t at = dirty.offset + i * kSectorBytes;
    if (lands[i]) std::memcpy(&file.stable[at], &file.cached[at], kSectorBytes);
  }
}

// A flush failed.
void SimDrive::lose_dirty(File& file) {
  for (const Dirty& dirty : file.dirty) settle(file, dirty, draw_landing());
  file.dirty.clear();
  file.cached.clear();
}

Result<> SimDrive::create(int file, std::uint64_t bytes) {
  if (!powered_) return fail(Errc::kIoError, "simulated drive: no power");
  if (exists(file)) return fail(Errc::kAlreadyExists, fmt::format("file {}", file));
  ++counters_.creations;
  const bool refused = rng_.chance(options_.rates.no_space);
  counters_.faults += refused ? 1U : 0U;
  if (refused || (file != 0 && free_bytes() < bytes)) {
    return fail(Errc::kNoSpace, "simulated drive: no space left");
  }
  if (next_fault(false)) return fail(Errc::kIoError, "simulated drive: creation failed");
  files_[file].stable.resize(bytes);
  trace(static_cast<std::uint64_t>(file));
  boundary();
  return {};
}

Result<> SimDrive::remove(int file) {
  if (!powered_) return fail(Errc::kIoError, "simulated drive: no power");
  if (files_.erase(file) == 0) return fail(Errc::kNotFound, fmt::format("file {}", file));
  boundary();
  return {};
}

std::vector<int> SimDrive::files() const {
  std::vector<int> numbers;
  for (const auto& [number, file] : files_) numbers.push_back(number);
  return numbers;
}

std::uint64_t SimDrive::free_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [number, file] : files_) used += number == 0 ? 0 : file.stable.size();
  return options_.capacity_bytes - std::min(options_.capacity_bytes, used);
}

Result<> SimDrive::read(int file, std::uint64_t offset, std::span<std::byte> into) {
  if (!powered_) return fail(Errc::kIoError, "simulated drive: no power");
  const auto found = files_.find(file);
  if (found == files_.end()) return fail(Errc::kNotFound, fmt::format("file {}", file));
  if (rng_.chance(options_.rates.read_error)) {
    ++counters_.faults;
    return fail(Errc::kIoError, fmt::format("read file {} at {}", file, offset));
  }
  const auto& bytes = found->second.cached.empty() ? found->second.stable : found->second.cached;
  if (offset + into.size() > bytes.size()) {
    return fail(Errc::kCorrupt, fmt::format("read file {} at {}: it ends there", file, offset));
  }
  std::memcpy(into.data(), &bytes[offset], into.size());
  return {};
}

Result<> SimDrive::write(int file, std::uint64_t offset, std::span<const std::byte> from) {
  if (!powered_) return fail(Errc::kIoError, "simulated drive: no power");
  const auto found = files_.find(file);
  if (found == files_.end()) return fail(Errc::kNotFound, fmt::format("file {}", file));
  const auto fault = next_fault(false);
  write_sectors(found->second, offset, from, fault ? draw_landing() : Landing::kAll, true);
  for (std::uint64_t at = 0; at < from.size(); at += kPageBytes) {
    found->second.damaged.erase((offset + at) / kPageBytes);
  }
  trace(crc32c(from));
  boundary();
  if (fault) return fail(Errc::kIoError, fmt::format("write file {} at {}", file, offset));
  return {};
}

Result<> SimDrive::sync(int file) {
  if (!powered_) return fail(Errc::kIoError, "simulated drive: no power");
  File& flushed = files_.at(file);
  if (next_fault(true)) {
    if (powered_) lose_dirty(flushed);
    return fail(Errc::kIoError, fmt::format("flush file {}", file));
  }
  for (const Dirty& dirty : flushed.dirty) settle(flushed, dirty, Landing::kAll);
  flushed.dirty.clear();
  boundary();
  return {};
}

void SimDrive::start(const Operation& operation) {
  CHECK(exists(operation.file));
  const bool flush = operation.bytes.empty();
  if (!powered_) {
    flights_.push_back({operation, {}, 0, 0, SimFault::kPowerCut});
    return;
  }
  const std::int64_t delay_max =
      rng_.chance(options_.rates.slow) ? options_.slow_ns_max : options_.delay_ns_max;
  Flight flight{
      .operation = operation,
      .copy = {operation.bytes.begin(), operation.bytes.end()},
      .due_ns = clock_.monotonic_now().value +
                static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(delay_max) + 1)),
      .covers = completions_,
      .fault = next_fault(flush)
  };
  trace(operation.token ^ operation.offset ^ static_cast<std::uint64_t>(flight.due_ns));
  flights_.push_back(std::move(flight));
  boundary();
}

std::size_t SimDrive::finish(unsigned ring, std::span<IoCompletion> completions) {
  std::size_t count = 0;
  const std::int64_t now = clock_.monotonic_now().value;
  while (powered_ && count < completions.size()) {
    // The one that is due longest.
    auto next = flights_.end();
    for (auto it = flights_.begin(); it != flights_.end(); ++it) {
      if (it->operation.ring != ring || it->due_ns > now) continue;
      if (next == flights_.end() || it->due_ns < next->due_ns) next = it;
    }
    if (next == flights_.end()) break;
    completions[count++] = {next->operation.token, complete(*next)};
    flights_.erase(next);
    boundary();
  }
  return count;
}

unsigned SimDrive::in_flight(unsigned ring) const {
  return static_cast<unsigned>(std::ranges::count_if(
      flights_, [&](const Flight& flight) { return flight.operation.ring == ring; }));
}

std::size_t SimDrive::takes(std::size_t queued) {
  if (queued == 0 || !rng_.chance(options_.rates.partial_submit)) return queued;
  ++counters_.faults;
  return rng_.below(queued);
}

std::int32_t SimDrive::complete(Flight& flight) {
  const std::int32_t result =
      flight.operation.bytes.empty() ? complete_flush(flight) : complete_write(flight);
  ++completions_;
  trace(flight.operation.token ^ static_cast<std::uint64_t>(result));
  return result;
}

std::int32_t SimDrive::complete_write(Flight& flight) {
  const Operation& write = flight.operation;
  // Until it completes, the buffer is the drive's: it may be read at any moment.
  CHECK(std::ranges::equal(write.bytes, flight.copy));
  trace(crc32c(flight.copy));
  File& file = files_.at(write.file);
  if (flight.fault && flight.fault != SimFault::kShortWrite) {
    write_sectors(file, write.offset, write.bytes, draw_landing(), false);
    file.dirty.push_back({completions_, write.offset, write.bytes.size()});
    return -errno_of(*flight.fault);
  }
  if (flight.fault) {
    const std::size_t sectors = rng_.below(write.bytes.size() / kSectorBytes);
    const auto part = write.bytes.first(sectors * kSectorBytes);
    write_sectors(file, write.offset, part, Landing::kAll, false);
    file.dirty.push_back({completions_, write.offset, part.size()});
    return static_cast<std::int32_t>(part.size());
  }
  const std::uint64_t place = landing_place(file, write);
  write_sectors(file, place, write.bytes, Landing::kAll, write.durable);
  if (!write.durable) file.dirty.push_back({completions_, place, write.bytes.size()});
  return static_cast<std::int32_t>(write.bytes.size());
}

// Where a write lands: in its place, most often.
std::uint64_t SimDrive::landing_place(File& file, const Operation& write) {
  const std::uint64_t pages = write.bytes.size() / kPageBytes;
  const std::uint64_t wanted = write.offset / kPageBytes;
  if (!rng_.chance(options_.rates.misdirected)) {
    for (std::uint64_t i = 0; i < pages; ++i) file.damaged.erase(wanted + i);
    return write.offset;
  }
  ++counters_.faults;
  const std::uint64_t place = rng_.below(file.stable.size() / kPageBytes - pages + 1);
  for (std::uint64_t i = 0; i < pages; ++i) {
    file.damaged.insert(wanted + i);
    file.damaged.insert(place + i);
  }
  trace(place);
  return place * kPageBytes;
}

bool SimDrive::is_damaged(int file, std::uint64_t offset, std::uint64_t bytes) const {
  const auto found = files_.find(file);
  if (found == files_.end()) return false;
  const auto first = found->second.damaged.lower_bound(offset / kPageBytes);
  return first != found->second.damaged.end() && *first * kPageBytes < offset + bytes;
}

std::int32_t SimDrive::complete_flush(Flight& flight) {
  File& file = files_.at(flight.operation.file);
  if (flight.fault) {
    lose_dirty(file);
    return -errno_of(*flight.fault);
  }
  for (const Dirty& dirty : file.dirty) {
    if (dirty.number < flight.covers) settle(file, dirty, Landing::kAll);
  }
  std::erase_if(file.dirty, [&](const Dirty& dirty) { return dirty.number < flight.covers; });
  return 0;
}

void SimDrive::kill(unsigned ring) {
  if (!powered_) return;  // crash() decides
  for (const Flight& flight : flights_) {
    const Operation& write = flight.operation;
    if (write.ring != ring || flight.copy.empty()) continue;
    File& file = files_.at(write.file);
    write_sectors(file, write.offset, flight.copy, draw_landing(), false);
    file.dirty.push_back({completions_++, write.offset, flight.copy.size()});
  }
  std::erase_if(flights_, [&](const Flight& flight) { return flight.operation.ring == ring; });
}

void SimDrive::crash() {
  const auto draw = [&] {
    const Landing landing = draw_landing();
    counters_.torn_writes += landing == Landing::kSome ? 1U : 0U;
    counters_.lost_writes += landing == Landing::kNone ? 1U : 0U;
    return landing;
  };
  for (auto& [number, file] : files_) {
    for (const Dirty& dirty : file.dirty) settle(file, dirty, draw());
    file.dirty.clear();
    file.cached.clear();
  }
  for (const Flight& flight : flights_) {
    if (flight.copy.empty()) continue;
    write_sectors(files_.at(flight.operation.file), flight.operation.offset, flight.copy, draw(),
                  true);
  }
  flights_.clear();
  planned_.clear();
  powered_ = true;
  trace(counters_.operations);
}

}  // namespace penstock
