// What a killed daemon leaves of a memif port: its socket's name in the file system, which keeps
// the driver from making it again.
#pragma once

#include <string>

namespace penstock {

// Of a memif server whose socket has a name there: removes the name if nobody listens behind it.
// Does nothing for other devices.
void remove_stale_socket(const std::string& device);

}  // namespace penstock
