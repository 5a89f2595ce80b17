// Where a volume's bytes are: its head and its slots. Calls block; none is made by a shard's loop.
// device_directory.cc keeps a file a slot, device_raw.cc extents of a block device, device_null.cc
// nothing at all, device_sim.cc a simulated drive.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "storage/format/format.h"

namespace penstock {

// What a log's ring needs to write into a slot.
struct SlotFile {
  int fd = -1;             // owned by the device, open until close_slot()
  std::uint64_t base = 0;  // offset of the slot's first byte in that file
};

struct DeviceSpace {
  std::uint64_t free_bytes;  // that new slots could take (file system or rest of the device)
  std::uint64_t total_bytes;
};

enum class DeviceAccess : std::uint8_t { kReadOnly, kReadWrite };

// Reads and writes are whole pages into page-aligned memory; writes are durable when they return.
// One thread at a time.
class VolumeDevice {
 public:
  virtual ~VolumeDevice() = default;

  // For messages: the path.
  [[nodiscard]] virtual const std::string& name() const = 0;

  // Refuses with kBusy while another process holds the volume for writing. Held until destruction.
  // For writing only when the head is known to be a volume's or blank: in a directory it makes a
  // file, and removes what a crash left of slots in the making.
  [[nodiscard]] virtual Result<> lock() = 0;

  // Whether a volume may be made here: kAlreadyExists when there is anything of somebody else's, or
  // a volume's segments without its head.
  [[nodiscard]] virtual Result<> check_unused() = 0;

  // The head: Superblock and Catalogue.
  [[nodiscard]] virtual Result<> read_head(std::uint64_t offset, std::span<std::byte> into) = 0;
  [[nodiscard]] virtual Result<> write_head(std::uint64_t offset,
                                            std::span<const std::byte> from) = 0;

  // Told once after the superblock is known (or made): the size of every slot.
  virtual void set_segment_bytes(std::uint64_t bytes) = 0;

  // Slots that exist, ascending.
  [[nodiscard]] virtual Result<std::vector<SlotIndex>> list_slots() = 0;
  // Makes a slot, a piece a call, so that nobody is kept waiting for long: allocates it and writes
  // all of it once, zeros. True: it is made; false: call again, for the same slot. kNoSpace when
  // the drive or the device is full; what a failed call left behind is removed, and the next one
  // begins anew.
  [[nodiscard]] virtual Result<bool> make_slot(SlotIndex slot) = 0;
  // Gives the slot's space back; on a raw device its header is zeroed.
  [[nodiscard]] virtual Result<> remove_slot(SlotIndex slot) = 0;

  [[nodiscard]] virtual Result<> read(SlotIndex slot, std::uint64_t offset,
                                      std::span<std::byte> into) = 0;
  [[nodiscard]] virtual Result<> write(SlotIndex slot, std::uint64_t offset,
                                       std::span<const std::byte> from) = 0;

  // Bytes that the slot has behind its segment: somebody else put them there.
  [[nodiscard]] virtual Result<std::uint64_t> extra_bytes(SlotIndex /*slot*/) { return 0; }

  // Makes durable what was written to the slot, also by a process that is gone: its last writes may
  // lie in the drive's cache, readable and lost with the next power cut. Only for who holds the
  // lock; does nothing for others.
  [[nodiscard]] virtual Result<> sync(SlotIndex slot) = 0;

  // Opens a slot for a ring: O_DIRECT, read-write.
  [[nodiscard]] virtual Result<SlotFile> open_slot(SlotIndex slot) = 0;
  virtual void close_slot(const SlotFile& file) = 0;

  [[nodiscard]] virtual Result<DeviceSpace> space() = 0;

  // How long a block device is; 0: the place has no length of its own.
  [[nodiscard]] virtual std::uint64_t fixed_bytes() const { return 0; }
};

// `path` is a directory or a block device; by what it is, the kind is chosen. A directory is not
// created here. kNotFound, kPermissionDenied, kInvalidArgument (neither of both).
[[nodiscard]] Result<std::unique_ptr<VolumeDevice>> open_volume_device(const std::string& path,
                                                                       DeviceAccess access);

// Page-aligned memory of whole pages, zeroed; hugepages are not its business.
struct FreeDeleter {
  void operator()(std::byte* p) const;
};
using PageBuffer = std::unique_ptr<std::byte[], FreeDeleter>;
[[nodiscard]] PageBuffer allocate_pages(std::size_t bytes);

}  // namespace penstock
