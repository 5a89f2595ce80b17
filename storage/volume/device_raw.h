// A volume on a block device: its head in the first 4 MiB, slots behind it as extents of one size.
#pragma once

#include "storage/volume/volume_device.h"

namespace penstock {

[[nodiscard]] Result<std::unique_ptr<VolumeDevice>> open_raw_device(const std::string& path,
                                                                    DeviceAccess access);

}  // namespace penstock
