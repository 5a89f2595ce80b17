// What a crash left behind the end of a log, in the segment that the log goes on in.
#pragma once

#include "storage/recover/recovery.h"

namespace penstock {

// Whole blocks there chain to nothing, but should a drive lose the write of a block in front of
// them one day, who steps over the damage would take them for the log's. So whoever goes on writing
// first makes them unreadable, for good. A log whose tail cannot be cleared goes on in another
// segment.
void clear_torn_tails(Volume& volume, RecoveredVolume& recovered);

}  // namespace penstock
