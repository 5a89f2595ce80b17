// Compares what the index and the footer of a closed segment say with what its blocks hold.
#pragma once

#include "storage/recover/recovery.h"
#include "storage/recover/segment_contents.h"

namespace penstock {

// Only of a segment without damage. Findings are added.
void compare_index(const SegmentIndex& index, const SegmentFooter& footer,
                   const SegmentContents& contents, std::vector<Finding>& findings);
void compare_footer(const SegmentFooter& footer, const SegmentContents& contents,
                    std::vector<Finding>& findings);

}  // namespace penstock
