#include "tests/sim/oracle.h"

#include <charconv>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/recover/segment_scan.h"

namespace penstock::sim {
namespace {

constexpr std::size_t kNumberDigits = 16;
constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};

}  // namespace

void Oracle::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

void Oracle::know(std::string_view text) {
  hashes_.push_back(crc32c(std::as_bytes(std::span(text))));
}

std::uint64_t Oracle::number_of(std::span<const std::byte> payload) {
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  const std::size_t mark = text.find(kNumberMark);
  std::uint64_t number = kNoNumber;
  if (mark != std::string_view::npos && text.size() - mark > kNumberDigits) {
    const char* digits = text.data() + mark + 1;
    std::from_chars(digits, digits + kNumberDigits, number, 16);
  }
  if (number >= hashes_.size() || hashes_[number] != crc32c(payload)) {
    fail(fmt::format("a message was never sent: '{}'", text.substr(0, 80)));
    return kNoNumber;
  }
  return number;
}

std::vector<std::uint64_t> Oracle::numbers_in(std::span<const std::byte> block) {
  std::vector<std::uint64_t> numbers;
  BlockReader reader(block);
  for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
    RunReader run(bytes);
    while (const auto message = run.next()) numbers.push_back(number_of(message->payload));
  }
  return numbers;
}

// Messages are stored in the order of their arrival, each arrival once at most.
void Oracle::must_have_arrived(const std::vector<std::uint64_t>& numbers) {
  for (const std::uint64_t number : numbers) {
    while (next_arrival_ < arrivals_.size() && arrivals_[next_arrival_] != number) ++next_arrival_;
    if (next_arrival_ == arrivals_.size()) {
      return fail(fmt::format("message {} is stored twice, out of order or never came", number));
    }
    ++next_arrival_;
  }
}

void Oracle::reported(const Block& block) {
  const BlockHeader& header = block.header;
  auto numbers = numbers_in(block.bytes.first(header.length));
  must_have_arrived(numbers);
  reported_messages_ += numbers.size();
  trace_ = (trace_ ^ header.crc ^ header.sequence) * 0x9E3779B97F4A7C15ULL;
  if (!blocks_.empty() && blocks_.rbegin()->first + 1 != header.sequence) {
    return fail(fmt::format("block {} was reported after block {}", header.sequence,
                            blocks_.rbegin()->first));
  }
  blocks_[header.sequence] = {header.crc, false, std::move(numbers)};
}

void Oracle::retired(std::uint64_t begin, std::uint64_t end) {
  for (auto it = blocks_.lower_bound(begin); it != blocks_.end() && it->first < end; ++it) {
    it->second.retired = true;
  }
}

void Oracle::check_offsets(const BlockHeader& header, std::span<const std::byte> block) {
  BlockReader reader(block);
  for (auto bytes = reader.next_run(); !bytes.empty(); bytes = reader.next_run()) {
    const RunReader run(bytes);
    for (std::size_t i = 0; i < run.header().capture_count; ++i) {
      const Capture capture = run.capture(i);
      const auto [next, fresh] = next_offsets_.try_emplace(capture.stream, capture.base_offset);
      if (next->second != capture.base_offset) {
        fail(fmt::format("block {}: offset {} follows {} of stream {:x}", header.sequence,
                         capture.base_offset, next->second, capture.stream));
      }
      next->second = capture.base_offset + run.header().message_count;
    }
  }
}

void Oracle::check_block_found(const BlockHeader& header, std::span<const std::byte> block) {
  auto numbers = numbers_in(block);
  verified_ += numbers.size();
  const auto known = blocks_.find(header.sequence);
  if (known != blocks_.end()) {
    if (known->second.crc != header.crc || known->second.numbers != numbers) {
      fail(fmt::format("block {} is not the one that was reported durable", header.sequence));
    }
    return;
  }
  // Written when the crash came and never reported: it may be there, and then stays.
  if (!blocks_.empty() && blocks_.rbegin()->first + 1 != header.sequence) {
    return fail(fmt::format("block {} comes from nowhere", header.sequence));
  }
  must_have_arrived(numbers);
  blocks_[header.sequence] = {header.crc, false, std::move(numbers)};
}

void Oracle::check_findings(const RecoveredVolume& recovered) {
  for (const Finding& finding : recovered.findings) {
    // What a crash may leave. The rest would be damage, and the drive damages nothing that is
    // stable.
    if (finding.kind == Finding::Kind::kTornTail) continue;
    fail(fmt::format("recovery finds {}: {}", to_string(finding.kind), finding.what));
  }
}

void Oracle::check(Volume& volume, const RecoveredVolume& recovered) {
  check_findings(recovered);
  next_offsets_.clear();
  auto expected = blocks_.begin();
  const auto skip_retired = [&] {
    while (expected != blocks_.end() && expected->second.retired) {
      ++expected;
      next_offsets_.clear();
    }
  };
  const auto log = recovered.logs.find(LogNumber(0));
  const std::size_t segments = log == recovered.logs.end() ? 0 : log->second.segments.size();
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < segments && !failed(); ++i) {
    const SegmentHeader& segment = log->second.segments[i].header;
    const std::uint64_t end = i + 1 < segments ? log->second.segments[i + 1].header.base_sequence
                                               : log->second.start.next_sequence.value;
    if (i == 0 || segment.base_sequence > next) next = segment.base_sequence;
    SegmentScan scan(volume.device(), segment);
    for (; next < end; ++next) {
      const auto found = scan.here();
      if (!found || !*found || (*found)->header.sequence != next) break;
      while (expected != blocks_.end() && expected->first < next && expected->second.retired) {
        ++expected;
        next_offsets_.clear();
      }
      if (expected != blocks_.end() && expected->first < next) {
        return fail(fmt::format("block {} was reported durable and is not there", expected->first));
      }
      check_offsets((*found)->header, (*found)->bytes);
      check_block_found((*found)->header, (*found)->bytes);
      if (expected == blocks_.end()) expected = std::prev(blocks_.end());
      ++expected;
      scan.step_over(**found);
    }
  }
  skip_retired();
  if (expected != blocks_.end()) {
    return fail(fmt::format("block {} was reported durable and is not there (of {} to {})",
                            expected->first, blocks_.begin()->first, blocks_.rbegin()->first));
  }
  if (log == recovered.logs.end()) return;
  if (!blocks_.empty() && log->second.start.next_sequence.value != blocks_.rbegin()->first + 1) {
    fail(fmt::format("the log goes on with block {} after block {}",
                     log->second.start.next_sequence, blocks_.rbegin()->first));
  }
  for (const LogStart::Partition& partition : log->second.start.partitions) {
    const auto seen = next_offsets_.find(partition.stream.value);
    if (seen != next_offsets_.end() && seen->second != partition.next_offset.value) {
      fail(fmt::format("stream {:x} goes on with offset {} after {}", partition.stream,
                       partition.next_offset, seen->second));
    }
  }
  // What was still on its way is gone: it cannot turn up later.
  next_arrival_ = arrivals_.size();
}

}  // namespace penstock::sim
