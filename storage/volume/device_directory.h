// A volume in a directory: the file `volume` is its head, `segment-NNNNNN` are its slots.
#pragma once

#include "storage/volume/volume_device.h"

namespace penstock {

[[nodiscard]] Result<std::unique_ptr<VolumeDevice>> make_directory_device(const std::string& path,
                                                                          DeviceAccess access);

}  // namespace penstock
