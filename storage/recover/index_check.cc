#include "storage/recover/index_check.h"

#include <fmt/format.h>

namespace penstock {
namespace {

// The index is wrong there.
Finding wrong(const SegmentFooter& footer, std::uint64_t offset, std::uint64_t bytes,
              std::string_view what) {
  return {Finding::Kind::kWrongIndex, SlotIndex(footer.slot), offset, bytes,
          fmt::format("log {}: {}", footer.log, what)};
}

// Where the index begins, and how long it is; what is in front of the footer is zero.
std::uint64_t index_begin(const SegmentFooter& footer) {
  return std::uint64_t{footer.index_position} * kPageBytes;
}
std::uint64_t index_length(const SegmentFooter& footer) {
  return footer.segment_bytes - kPageBytes - index_begin(footer);
}

void compare_partitions(const SegmentIndex& index, const SegmentFooter& footer,
                        const SegmentContents& contents, std::vector<Finding>& findings) {
  std::uint64_t at = index_begin(footer) + index.blocks.size() * sizeof(IndexEntry);
  for (const PartitionEntry& entry : index.partitions) {
    if (!contents.agree_with(entry)) {
      findings.push_back(
          wrong(footer, at, sizeof entry,
                fmt::format("the index does not say what the blocks hold of stream {:016x}",
                            entry.stream)));
    }
    at += sizeof entry;
  }
  if (contents.all_in(index.partitions)) return;
  findings.push_back(wrong(footer, index_begin(footer), index_length(footer),
                           "the index leaves out partitions that the blocks hold"));
}

// What is behind a session's last run may be what its producer left out.
void compare_producers(const SegmentIndex& index, const SegmentFooter& footer,
                       const SegmentContents& contents, std::vector<Finding>& findings) {
  std::uint64_t at = index_begin(footer) + index.blocks.size() * sizeof(IndexEntry) +
                     index.partitions.size() * sizeof(PartitionEntry);
  for (const ProducerEntry& entry : index.producers) {
    if (!contents.agree_with(entry)) {
      findings.push_back(wrong(
          footer, at, sizeof entry,
          fmt::format("the index lets session {:016x} go on with {}, in front of what the blocks "
                      "hold of it",
                      entry.session, entry.next_sequence)));
    }
    at += sizeof entry;
  }
  const std::uint64_t missing = contents.not_in(index.producers);
  if (missing <= footer.forgotten_count) return;
  findings.push_back(
      wrong(footer, index_begin(footer), index_length(footer),
            fmt::format("the index leaves out {} sessions that the blocks hold; {} may be left out",
                        missing, footer.forgotten_count)));
}

}  // namespace

void compare_index(const SegmentIndex& index, const SegmentFooter& footer,
                   const SegmentContents& contents, std::vector<Finding>& findings) {
  compare_partitions(index, footer, contents, findings);
  compare_producers(index, footer, contents, findings);
}

void compare_footer(const SegmentFooter& footer, const SegmentContents& contents,
                    std::vector<Finding>& findings) {
  if (contents.agree_with(footer)) return;
  findings.push_back(
      wrong(footer, footer.segment_bytes - kPageBytes, kPageBytes,
            fmt::format("the footer says {} blocks, {} messages, {} payload bytes; there are {}, "
                        "{}, {}",
                        footer.block_count, footer.message_count, footer.payload_bytes,
                        contents.blocks(), contents.messages(), contents.payload_bytes())));
}

}  // namespace penstock
