#include "storage/recover/verify.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include <fmt/format.h>

#include "storage/recover/head_check.h"
#include "storage/recover/lost_header.h"
#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

class VolumeVerifier {
 public:
  explicit VolumeVerifier(VolumeDevice& device) : device_(device) {}

  Result<VerifyReport> run();

 private:
  Result<> check_volume_head();
  Result<> sort_slot(SlotIndex slot);
  void check_length(SlotIndex slot);
  Result<> check_log(LogNumber number, std::vector<KeptSegment>& segments);
  Result<BlockSequence> durable_end(const std::vector<KeptSegment>& segments);
  void check_join(const SegmentCheck& before, const SegmentHeader& header, BlockSequence durable,
                  SegmentSequence oldest_kept, OffsetTrack& offsets);
  void check_names(const OffsetTrack& offsets);
  Result<> check_free_slots();
  Result<bool> read_page(SlotIndex slot, std::uint32_t number) {
    auto unreadable = read_pages(device_, slot, number, page());
    if (!unreadable) return std::unexpected(std::move(unreadable.error()));
    return unreadable->empty();
  }
  [[nodiscard]] std::span<std::byte> page() { return {page_.get(), kPageBytes}; }
  void add(const SegmentCheck& checked) {
    report_.total += checked.totals;
    std::ranges::copy(checked.findings, std::back_inserter(report_.findings));
  }

  VolumeDevice& device_;
  PageBuffer page_ = allocate_pages(kPageBytes);
  Superblock superblock_{};
  Catalogue catalogue_;
  VerifyReport report_;
  std::map<LogNumber, std::vector<KeptSegment>> logs_;
  std::map<LogNumber, KnownBlocks> known_;  // of the logs that were checked
  std::vector<SlotIndex> free_slots_;
  std::set<std::uint64_t> nameless_;
  bool headers_lost_ = false;  // segments may be missing that are there
};

Result<VerifyReport> VolumeVerifier::run() {
  if (auto done = check_volume_head(); !done) return std::unexpected(std::move(done.error()));
  if (superblock_.segment_bytes == 0) return std::move(report_);  // where slots are is not known
  device_.set_segment_bytes(superblock_.segment_bytes);
  auto slots = device_.list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  report_.slots = slots->size();
  for (const SlotIndex slot : *slots) {
    if (auto done = sort_slot(slot); !done) return std::unexpected(std::move(done.error()));
    check_length(slot);
  }
  for (auto& [number, segments] : logs_) {
    if (auto done = check_log(number, segments); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  if (auto done = check_free_slots(); !done) return std::unexpected(std::move(done.error()));
  return std::move(report_);
}

Result<> VolumeVerifier::check_volume_head() {
  auto head = check_head(device_);
  if (!head) return std::unexpected(std::move(head.error()));
  report_.findings = std::move(head->findings);
  catalogue_ = std::move(head->catalogue);
  if (!head->superblock) head->superblock = superblock_by_slots(device_);
  superblock_ = head->superblock.value_or(Superblock{});
  return {};
}

// Segments wait until their whole log is known; any other slot is checked at once.
Result<> VolumeVerifier::sort_slot(SlotIndex slot) {
  auto readable = read_page(slot, 0);
  if (!readable) return std::unexpected(std::move(readable.error()));
  const auto header = decode_segment_header(page());
  const bool free = *readable && (header ? header->state == SlotState::kFree
                                         : header.error().code == Errc::kNotFound);
  const bool ours = header && belongs_to(*header, superblock_, slot);
  if (ours && !free) {
    KeptSegment segment{.header = *header};
    auto footer_readable = read_page(slot, footer_page(superblock_.segment_bytes));
    if (!footer_readable) return std::unexpected(std::move(footer_readable.error()));
    const auto footer = decode_segment_footer(page());
    segment.closed = footer && closes(*footer, *header);
    if (segment.closed) segment.footer = *footer;
    logs_[LogNumber(header->log)].push_back(segment);
    return {};
  }
  if (free) free_slots_.push_back(slot);
  report_.free_slots = free_slots_.size();
  headers_lost_ |= !free;
  OffsetTrack none;
  auto checked = verify_segment(device_, superblock_, slot, {}, none);
  if (!checked) return std::unexpected(std::move(checked.error()));
  add(*checked);
  return {};
}

void VolumeVerifier::check_length(SlotIndex slot) {
  const auto extra = device_.extra_bytes(slot);
  if (!extra || *extra == 0) return;
  report_.findings.push_back({Finding::Kind::kUnusedNotBlank, slot, superblock_.segment_bytes,
                              *extra, "the slot's file is longer than a segment"});
}

Result<> VolumeVerifier::check_log(LogNumber number, std::vector<KeptSegment>& segments) {
  std::ranges::sort(segments, {}, [](const KeptSegment& s) { return s.header.sequence; });
  auto durable = durable_end(segments);
  if (!durable) return std::unexpected(std::move(durable.error()));
  const std::vector<BlockSequence> ends = ends_of(segments);
  const std::set<std::uint64_t> gaps = gaps_behind(segments);
  SegmentSequence oldest_kept(0);
  for (const KeptSegment& segment : segments) {
    oldest_kept = std::max(oldest_kept, SegmentSequence(segment.header.oldest_sequence));
  }
  OffsetTrack offsets;
  std::optional<SegmentCheck> before;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentHeader& header = segments[i].header;
    SegmentContext context{i + 1 == segments.size(), ends[i], *durable,
                           gaps.contains(header.sequence)};
    // Behind the end of the log there are only writes that a crash left.
    const bool cut = before && before->next.value < header.base_sequence &&
                     before->next >= *durable && header.sequence > oldest_kept.value &&
                     !headers_lost_;
    if (cut) context.end = BlockSequence(header.base_sequence);
    const bool is_void = header.base_sequence >= context.end.value;
    if (before && !is_void) check_join(*before, header, *durable, oldest_kept, offsets);
    auto checked = verify_segment(device_, superblock_, SlotIndex(header.slot), context, offsets);
    if (!checked) return std::unexpected(std::move(checked.error()));
    add(*checked);
    report_.logs[number] += checked->totals;
    if (is_void) continue;
    known_[number].segments.push_back(segments[i]);
    known_[number].end = checked->next;
    before = std::move(*checked);
  }
  check_names(offsets);
  return {};
}

// Blocks before this one were durable: a footer vouches for its segment and all before it, and
// behind the newest footer each block says what was durable when it was sealed.
Result<BlockSequence> VolumeVerifier::durable_end(const std::vector<KeptSegment>& segments) {
  BlockSequence durable(0);
  for (const KeptSegment& segment : std::views::reverse(segments)) {
    if (segment.closed) return std::max(durable, behind(segment.footer));
    SegmentScan scan(device_, segment.header, footer_page(segment.header.segment_bytes));
    for (std::uint32_t from = 1;;) {
      auto found = scan.search(from);
      if (!found) return std::unexpected(std::move(found.error()));
      if (!*found) break;
      durable = std::max(durable, BlockSequence((*found)->header.durable_sequence));
      from = (*found)->position + (*found)->header.length / kPageBytes;
    }
  }
  return durable;
}

// Whether a segment begins where the one before it ended.
void VolumeVerifier::check_join(const SegmentCheck& before, const SegmentHeader& header,
                                BlockSequence durable, SegmentSequence oldest_kept,
                                OffsetTrack& offsets) {
  const SlotIndex slot(header.slot);
  if (header.base_sequence > before.next.value) {
    offsets.doubt();
    // What is older than any segment kept was retired; what was not durable is no loss.
    const bool retired = header.sequence <= oldest_kept.value;
    if (retired || before.next >= durable) return;
    report_.findings.push_back(
        {Finding::Kind::kMissingSegment, slot, 0, 0,
         fmt::format("log {}: blocks {} to {} are missing in front of segment {}", header.log,
                     before.next, header.base_sequence - 1, header.sequence)});
  } else if (before.whole && header.base_sequence == before.next.value &&
             header.previous_crc != before.last_crc) {
    report_.findings.push_back(
        {Finding::Kind::kCorruptHeader, slot, 0, kPageBytes,
         fmt::format("log {}: segment {} does not follow the block before it", header.log,
                     header.sequence)});
  }
}

void VolumeVerifier::check_names(const OffsetTrack& offsets) {
  for (const auto& [stream, next] : offsets.streams()) {
    const bool named = std::ranges::any_of(catalogue_.streams, [&](const std::string& name) {
      return stream_id(name).value == stream;
    });
    if (named || !nameless_.insert(stream).second) continue;
    report_.findings.push_back({Finding::Kind::kWrongCatalogue, kVolumeHead, kCataloguePosition[0],
                                0, fmt::format("catalogue: stream {:016x} has no name", stream)});
  }
}

Result<> VolumeVerifier::check_free_slots() {
  for (const SlotIndex slot : free_slots_) {
    auto lost = has_lost_header(device_, superblock_, slot, known_);
    if (!lost) return std::unexpected(std::move(lost.error()));
    if (!*lost) continue;
    report_.findings.push_back(
        {Finding::Kind::kCorruptHeader, slot, 0, kPageBytes,
         "segment header: says that the slot is free, but its blocks were durable"});
  }
  return {};
}

}  // namespace

VerifyTotals& VerifyTotals::operator+=(const VerifyTotals& other) {
  segments += other.segments;
  closed += other.closed;
  open += other.open;
  blocks += other.blocks;
  messages += other.messages;
  payload_bytes += other.payload_bytes;
  bytes_checked += other.bytes_checked;
  unused_bytes += other.unused_bytes;
  unreadable_bytes += other.unreadable_bytes;
  return *this;
}

Result<VerifyReport> verify_volume(VolumeDevice& device) { return VolumeVerifier(device).run(); }

}  // namespace penstock
