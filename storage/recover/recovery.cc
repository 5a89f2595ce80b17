#include "storage/recover/recovery.h"

#include <fmt/format.h>

#include "storage/recover/log_recovery.h"

namespace penstock {
namespace {

// Reads header and footer of one slot and puts it where it belongs.
Result<> sort_slot(Volume& volume, SlotIndex slot, RecoveredVolume& result,
                   std::map<LogNumber, std::vector<KeptSegment>>& logs) {
  const std::uint64_t segment_bytes = volume.superblock().segment_bytes;
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  if (auto read = volume.device().read(slot, 0, page); !read) return read;
  result.bytes_read += kPageBytes;
  auto header = decode_segment_header(page);
  if (!header && header.error().code == Errc::kNotFound) {
    result.free_slots.push_back(slot);
    return {};
  }
  std::string wrong;
  if (!header) {
    wrong = header.error().what;
  } else if (header->volume != volume.superblock().volume) {
    wrong = "segment header: of another volume";
  } else if (header->slot != slot.value || header->segment_bytes != segment_bytes) {
    wrong = "segment header: of another slot";
  }
  if (!wrong.empty()) {
    result.quarantined_slots.push_back(slot);
    result.findings.push_back({Finding::Kind::kCorruptHeader, slot, 0, segment_bytes,
                               wrong + "; the slot is left as it is"});
    return {};
  }
  if (header->state == SlotState::kFree) {
    result.free_slots.push_back(slot);
    return {};
  }
  KeptSegment kept{.header = *header};
  const std::uint64_t at = segment_bytes - kPageBytes;
  if (auto read = volume.device().read(slot, at, page); !read) return read;
  result.bytes_read += kPageBytes;
  const auto footer = decode_segment_footer(page);
  if (footer && closes(*footer, *header)) {
    kept.closed = true;
    kept.footer = *footer;
  } else if (!footer && footer.error().code != Errc::kNotFound) {
    result.findings.push_back({Finding::Kind::kCorruptFooter, slot, at, kPageBytes,
                               footer.error().what + "; the segment's blocks are read instead"});
  }
  logs[LogNumber(header->log)].push_back(kept);
  return {};
}

}  // namespace

std::string_view to_string(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kTornTail: return "torn_tail";
    case Finding::Kind::kCorruptBlock: return "corrupt_block";
    case Finding::Kind::kCorruptHeader: return "corrupt_header";
    case Finding::Kind::kCorruptFooter: return "corrupt_footer";
    case Finding::Kind::kMissingSegment: return "missing_segment";
    case Finding::Kind::kUnusedNotBlank: return "unused_not_blank";
    case Finding::Kind::kWrongCatalogue: return "wrong_catalogue";
    case Finding::Kind::kWrongIndex: return "wrong_index";
    case Finding::Kind::kWrongOffsets: return "wrong_offsets";
    case Finding::Kind::kCorruptSuperblock: return "corrupt_superblock";
  }
  return "unknown";
}

bool closes(const SegmentFooter& footer, const SegmentHeader& header) {
  return footer.volume == header.volume && footer.log == header.log &&
         footer.generation == header.generation && footer.sequence == header.sequence;
}

Result<RecoveredVolume> recover_volume(Volume& volume) {
  auto slots = volume.device().list_slots();
  if (!slots) return std::unexpected(std::move(slots.error()));
  RecoveredVolume result;
  std::map<LogNumber, std::vector<KeptSegment>> logs;
  for (const SlotIndex slot : *slots) {
    if (auto sorted = sort_slot(volume, slot, result, logs); !sorted) {
      return std::unexpected(std::move(sorted.error()));
    }
  }
  for (auto& [number, segments] : logs) {
    auto log = recover_log(volume.device(), std::move(segments), result);
    if (!log) return std::unexpected(std::move(log.error()));
    result.logs[number] = std::move(*log);
  }
  return result;
}

}  // namespace penstock
