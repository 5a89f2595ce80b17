// A volume that keeps nothing but its head and its segments' headers, in memory: for measuring what
// the processor can do without a drive.
#pragma once

#include "storage/volume/volume_device.h"

namespace penstock {

[[nodiscard]] std::unique_ptr<VolumeDevice> make_null_volume_device();

}  // namespace penstock
