// A volume on a simulated drive: file 0 is its head, file n + 1 is slot n.
#pragma once

#include "storage/ring/sim_drive.h"
#include "storage/volume/volume_device.h"

namespace penstock {

// The drive outlives the device. A slot's file descriptor is the number of its file.
[[nodiscard]] std::unique_ptr<VolumeDevice> make_sim_device(
    SimDrive& drive, DeviceAccess access = DeviceAccess::kReadWrite);

}  // namespace penstock
