#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "storage/volume/device_directory.h"
#include "storage/volume/device_raw.h"

namespace penstock {

void FreeDeleter::operator()(std::byte* p) const { std::free(p); }

PageBuffer allocate_pages(std::size_t bytes) {
  bytes = align_up<std::size_t>(bytes, kPageBytes);
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, bytes));
  CHECK(memory != nullptr);
  std::memset(memory, 0, bytes);
  return PageBuffer(memory);
}

Result<std::unique_ptr<VolumeDevice>> open_volume_device(const std::string& path,
                                                         DeviceAccess access) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return fail_errno(errno, "volume " + path);
  if (S_ISDIR(st.st_mode)) return make_directory_device(path, access);
  if (S_ISBLK(st.st_mode)) return open_raw_device(path, access);
  return fail(Errc::kInvalidArgument,
              fmt::format("volume {}: neither a directory nor a block device", path));
}

}  // namespace penstock
