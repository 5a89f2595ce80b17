// The three standard files of a process, so that no other file is ever taken for one of them.
#pragma once

namespace penstock {

// Opens /dev/null, for reading only, for each of them that the process was started without:
// otherwise a volume could get the number to which messages for people are written. What is written
// there fails. Called first in main().
void open_missing_standard_files();

}  // namespace penstock
