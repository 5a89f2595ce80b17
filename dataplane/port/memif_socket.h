// The socket through which memif peers come and go, in front of DPDK 22.11's driver.
//
// The driver does not survive a peer that is gone before it was greeted: it closes the connection
// and leaves it to the interrupt thread, which then ends the process. Where this file is linked,
// sendmsg(2) tells that thread of a peer that is gone that all was sent; what the driver reads next
// is the end, and it closes in order.
#pragma once

#include <string>

#include "base/result.h"

namespace penstock {

// Of a memif server whose socket has a name in the file system: a killed daemon leaves the name,
// which keeps the driver from making the socket again, and it is removed. kBusy when another
// process has the socket. Does nothing for other devices.
[[nodiscard]] Result<> free_memif_socket(const std::string& device);

}  // namespace penstock
