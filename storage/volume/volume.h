// A volume: a device that holds logs, known by its superblock, with the names of the streams it
// stores.
#pragma once

#include "storage/format/segment.h"
#include "storage/format/volume.h"
#include "storage/volume/volume_device.h"

namespace penstock {

struct VolumeOptions {
  std::uint64_t segment_bytes = 256 * kMiB;
};

// One thread at a time. Owns the device.
class Volume {
 public:
  // Whether open() or create() is what this device takes: true when a volume lies there, false when
  // one can be made. Else why neither: kUnsupportedVersion, kCorrupt, or kAlreadyExists when it
  // holds something else, a volume that has lost its superblock included. Writes nothing.
  [[nodiscard]] static Result<bool> exists(VolumeDevice& device);
  // Makes a new volume: superblock and empty catalogue. kAlreadyExists as above.
  [[nodiscard]] static Result<Volume> create(std::unique_ptr<VolumeDevice> device,
                                             const VolumeOptions& options, VolumeId id,
                                             UnixNanos now);
  // kNotFound: blank; kUnsupportedVersion: left untouched; kCorrupt: names what is damaged.
  [[nodiscard]] static Result<Volume> open(std::unique_ptr<VolumeDevice> device);

  [[nodiscard]] VolumeDevice& device() { return *device_; }
  [[nodiscard]] const Superblock& superblock() const { return superblock_; }
  [[nodiscard]] const Catalogue& catalogue() const { return catalogue_; }

  // Adds the names that are missing, durably. Names are never removed.
  [[nodiscard]] Result<> add_streams(std::span<const std::string> names);

 private:
  Volume(std::unique_ptr<VolumeDevice> device, Superblock superblock, Catalogue catalogue)
      : device_(std::move(device)), superblock_(superblock), catalogue_(std::move(catalogue)) {}

  std::unique_ptr<VolumeDevice> device_;
  Superblock superblock_;
  Catalogue catalogue_;
};

}  // namespace penstock
