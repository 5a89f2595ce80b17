#include "storage/recover/verify.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "storage/recover/segment_scan.h"

namespace penstock {
namespace {

class VolumeVerifier {
 public:
  explicit VolumeVerifier(Volume& volume) : volume_(volume), device_(volume.device()) {}

  Result<VerifyReport> run();

 private:
  Result<> check_superblock();
  Result<> check_catalogue();
  Result<> sort_slot(SlotIndex slot);
  Result<> check_log(LogNumber number, std::vector<SegmentHeader>& segments);
  Result<BlockSequence> durable_end(const std::vector<SegmentHeader>& segments);
  void check_join(const SegmentCheck& before, const SegmentHeader& header, BlockSequence durable,
                  SegmentSequence oldest_kept, OffsetTrack& offsets);
  void check_names(const OffsetTrack& offsets);
  void find_in_head(Finding::Kind kind, std::uint64_t offset, std::uint64_t bytes,
                    std::string what) {
    report_.findings.push_back({kind, kVolumeHead, offset, bytes, std::move(what)});
  }

  Volume& volume_;
  VolumeDevice& device_;
  VerifyReport report_;
  std::map<LogNumber, std::vector<SegmentHeader>> logs_;
  std::set<std::uint64_t> nameless_;
};

Result<VerifyReport> VolumeVerifier::run() {
  if (auto done = check_superblock(); !done) return std::unexpected(std::move(done.error()));
  if (auto done = check_catalogue(); !done) return std::unexpected(std::move(done.error()));
  auto slots = device_.list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  report_.slots = slots->size();
  for (const SlotIndex slot : *slots) {
    if (auto done = sort_slot(slot); !done) return std::unexpected(std::move(done.error()));
  }
  for (auto& [number, segments] : logs_) {
    if (auto done = check_log(number, segments); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return std::move(report_);
}

Result<> VolumeVerifier::check_superblock() {
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  if (auto read = device_.read_head(0, page); !read) return read;
  const auto superblock = decode_superblock(page);
  if (!superblock) {
    find_in_head(Finding::Kind::kCorruptSuperblock, 0, kPageBytes, superblock.error().what);
  }
  return {};
}

Result<> VolumeVerifier::check_catalogue() {
  const PageBuffer buffer = allocate_pages(kCatalogueBytes);
  const std::span copy(buffer.get(), kCatalogueBytes);
  for (const std::uint64_t position : kCataloguePosition) {
    if (auto read = device_.read_head(position, copy); !read) return read;
    const auto catalogue = decode_catalogue(copy);
    if (!catalogue) {
      // The copies are written in turn: from the second revision on neither is blank.
      const bool blank = catalogue.error().code == Errc::kNotFound;
      if (blank && volume_.catalogue().revision < 2) continue;
      find_in_head(Finding::Kind::kWrongCatalogue, position, kCatalogueBytes,
                   catalogue.error().what + "; the other copy is used");
      continue;
    }
    const std::size_t length = load<CatalogueHeader>(copy).length;
    const std::size_t end = align_up<std::size_t>(length, kPageBytes);
    if (std::ranges::any_of(copy.subspan(length, end - length),
                            [](std::byte b) { return b != std::byte{0}; })) {
      find_in_head(Finding::Kind::kWrongCatalogue, position + length, end - length,
                   "catalogue: bytes behind its end are not zero");
    }
  }
  return {};
}

// Segments wait until their whole log is known; any other slot is checked at once.
Result<> VolumeVerifier::sort_slot(SlotIndex slot) {
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  if (auto read = device_.read(slot, 0, page); !read) return read;
  const auto header = decode_segment_header(page);
  const bool free =
      header ? header->state == SlotState::kFree : header.error().code == Errc::kNotFound;
  if (header && !free && header->volume == volume_.superblock().volume &&
      header->slot == slot.value && header->segment_bytes == volume_.superblock().segment_bytes) {
    logs_[LogNumber(header->log)].push_back(*header);
    return {};
  }
  report_.free_slots += free ? 1U : 0U;
  OffsetTrack none;
  auto checked = verify_segment(device_, volume_.superblock(), slot, {}, none);
  if (!checked) return std::unexpected(std::move(checked.error()));
  report_.total += checked->totals;
  std::ranges::move(checked->findings, std::back_inserter(report_.findings));
  return {};
}

Result<> VolumeVerifier::check_log(LogNumber number, std::vector<SegmentHeader>& segments) {
  std::ranges::sort(segments, {}, &SegmentHeader::sequence);
  auto durable = durable_end(segments);
  if (!durable) return std::unexpected(std::move(durable.error()));
  std::vector<BlockSequence> ends(segments.size());
  SegmentSequence oldest_kept(0);
  BlockSequence end(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = segments.size(); i-- > 0;) {
    ends[i] = end;
    end = std::min(end, BlockSequence(segments[i].base_sequence));
    oldest_kept = std::max(oldest_kept, SegmentSequence(segments[i].oldest_sequence));
  }
  OffsetTrack offsets;
  std::optional<SegmentCheck> before;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentHeader& header = segments[i];
    const SegmentContext context{i + 1 == segments.size(), ends[i], *durable};
    const bool is_void = header.base_sequence >= ends[i].value;
    if (before && !is_void) check_join(*before, header, *durable, oldest_kept, offsets);
    auto checked =
        verify_segment(device_, volume_.superblock(), SlotIndex(header.slot), context, offsets);
    if (!checked) return std::unexpected(std::move(checked.error()));
    report_.total += checked->totals;
    report_.logs[number] += checked->totals;
    std::ranges::move(checked->findings, std::back_inserter(report_.findings));
    if (!is_void) before = std::move(*checked);
  }
  check_names(offsets);
  return {};
}

// Blocks before this one were durable: a footer vouches for its segment and all before it, and
// behind the newest footer each block says what was durable when it was sealed.
Result<BlockSequence> VolumeVerifier::durable_end(const std::vector<SegmentHeader>& segments) {
  BlockSequence durable(0);
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  for (std::size_t i = segments.size(); i-- > 0;) {
    const SegmentHeader& header = segments[i];
    auto read = device_.read(SlotIndex(header.slot), header.segment_bytes - kPageBytes, page);
    if (!read) return std::unexpected(std::move(read.error()));
    const auto footer = decode_segment_footer(page);
    if (footer && closes(*footer, header)) {
      return std::max(durable, BlockSequence(footer->base_sequence + footer->block_count));
    }
    SegmentScan scan(device_, header,
                     static_cast<std::uint32_t>(header.segment_bytes / kPageBytes) - 1);
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
    const bool named = std::ranges::any_of(
        volume_.catalogue().streams,
        [&](const std::string& name) { return stream_id(name).value == stream; });
    if (named || !nameless_.insert(stream).second) continue;
    find_in_head(Finding::Kind::kWrongCatalogue, kCataloguePosition[0], 0,
                 fmt::format("catalogue: stream {:016x} has no name", stream));
  }
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

Result<VerifyReport> verify_volume(Volume& volume) { return VolumeVerifier(volume).run(); }

}  // namespace penstock
