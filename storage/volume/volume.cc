#include "storage/volume/volume.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/check.h"

namespace penstock {
namespace {

struct CatalogueCopies {
  Catalogue newest;
  std::size_t next_copy = 0;  // where the next one is to be written
};

// The newer of the valid copies. Both blank: an empty catalogue; one damaged: the other counts.
Result<CatalogueCopies> read_catalogue(VolumeDevice& device) {
  const PageBuffer buffer = allocate_pages(kCatalogueBytes);
  const std::span copy(buffer.get(), kCatalogueBytes);
  CatalogueCopies result;
  bool valid = false;
  std::string damage;  // of the last copy that is none
  for (std::size_t i = 0; i < 2; ++i) {
    auto read = device.read_head(kCataloguePosition[i], copy);
    // What the drive does not give is as good as damaged.
    auto catalogue = read ? decode_catalogue(copy) : fail(Errc::kCorrupt, read.error().what);
    if (!catalogue) {
      if (catalogue.error().code == Errc::kUnsupportedVersion) {
        return std::unexpected(std::move(catalogue.error()));
      }
      if (catalogue.error().code == Errc::kCorrupt) damage = std::move(catalogue.error().what);
      continue;
    }
    if (valid && catalogue->revision < result.newest.revision) continue;
    valid = true;
    result.newest = std::move(*catalogue);
    result.next_copy = 1 - i;
  }
  if (!valid && !damage.empty()) {
    return fail(Errc::kCorrupt, fmt::format("volume {}: no copy of its catalogue is readable: {}",
                                            device.name(), damage));
  }
  return result;
}

Result<Superblock> read_superblock(VolumeDevice& device) {
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  if (auto read = device.read_head(0, bytes); !read) {
    return std::unexpected(std::move(read.error()));
  }
  auto superblock = decode_superblock(bytes);
  if (!superblock) {
    return fail(superblock.error().code,
                fmt::format("volume {}: {}", device.name(), superblock.error().what));
  }
  if (superblock->segment_bytes < kSegmentBytesMin ||
      superblock->segment_bytes > kSegmentBytesMax || superblock->segment_bytes % kPageBytes != 0) {
    return fail(Errc::kCorrupt, fmt::format("volume {}: impossible segment size {}", device.name(),
                                            superblock->segment_bytes));
  }
  return superblock;
}

// What lay behind the new end is not there: going on would give its offsets away once more.
Result<> check_length(const VolumeDevice& device, const Superblock& superblock) {
  const std::uint64_t bytes = device.fixed_bytes();
  if (bytes >= superblock.device_bytes) return {};
  return fail(Errc::kCorrupt,
              fmt::format("volume {}: the device has {} bytes and had {} when the volume was made; "
                          "nothing is touched. Give it its length back; or take what is left with "
                          "'penstock read', and make a new volume",
                          device.name(), bytes, superblock.device_bytes));
}

// Other makers' structures lie somewhere in the first megabytes: none of them may be overwritten.
// What a crash left of a volume in the making, its empty catalogue, is none of them. A catalogue
// that names streams is a volume's that has lost its superblock.
Result<> check_blank(VolumeDevice& device) {
  if (auto unused = device.check_unused(); !unused) return unused;
  const PageBuffer buffer = allocate_pages(kVolumeHeadBytes);
  const std::span head(buffer.get(), kVolumeHeadBytes);
  if (auto read = device.read_head(0, head); !read) return read;
  for (const std::uint64_t position : kCataloguePosition) {
    const auto catalogue = decode_catalogue(head.subspan(position, kCatalogueBytes));
    if (!catalogue || catalogue->streams.empty()) continue;
    return fail(Errc::kAlreadyExists,
                fmt::format("volume {}: its superblock is lost, its catalogue of {} streams is "
                            "there; nothing is touched. 'penstock verify' says what else is there",
                            device.name(), catalogue->streams.size()));
  }
  const auto empty = encode_catalogue({});
  if (!empty) return std::unexpected(empty.error());
  const std::span first = head.subspan(kCataloguePosition[0], empty->size());
  if (std::ranges::equal(first, *empty)) std::ranges::fill(first, std::byte{0});
  if (all_zero(head)) return {};
  return fail(Errc::kAlreadyExists,
              fmt::format("volume {}: its first {} MiB are not blank; what it holds is left alone. "
                          "Wipe them yourself if it is really free (blkdiscard -z)",
                          device.name(), kVolumeHeadBytes / kMiB));
}

}  // namespace

Result<bool> Volume::exists(VolumeDevice& device) {
  const auto superblock = read_superblock(device);
  if (superblock) {
    auto length = check_length(device, *superblock);
    if (!length) return std::unexpected(std::move(length.error()));
    return true;
  }
  if (superblock.error().code != Errc::kNotFound) return std::unexpected(superblock.error());
  if (auto blank = check_blank(device); !blank) return std::unexpected(std::move(blank.error()));
  return false;
}

Result<Volume> Volume::create(std::unique_ptr<VolumeDevice> device, const VolumeOptions& options,
                              VolumeId id, UnixNanos now) {
  if (auto blank = check_blank(*device); !blank) return std::unexpected(std::move(blank.error()));
  // An empty catalogue, so that the first that is not empty may be torn by a crash; then the
  // superblock: a crash in between leaves a volume that still counts as blank.
  const auto catalogue = encode_catalogue({});
  if (!catalogue) return std::unexpected(catalogue.error());
  CHECK_EQ(catalogue->size(), std::size_t{kPageBytes});
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  std::ranges::copy(*catalogue, page.begin());
  if (auto written = device->write_head(kCataloguePosition[0], page); !written) {
    return std::unexpected(std::move(written.error()));
  }
  Superblock superblock{};
  superblock.volume = id;
  superblock.segment_bytes = options.segment_bytes;
  superblock.created_ns = now.value;
  superblock.device_bytes = device->fixed_bytes();
  encode_superblock(page, superblock);
  if (auto written = device->write_head(0, page); !written) {
    return std::unexpected(std::move(written.error()));
  }
  return open(std::move(device));
}

Result<Volume> Volume::open(std::unique_ptr<VolumeDevice> device) {
  auto superblock = read_superblock(*device);
  if (!superblock) return std::unexpected(std::move(superblock.error()));
  device->set_segment_bytes(superblock->segment_bytes);
  auto catalogue = read_catalogue(*device);
  if (!catalogue) return std::unexpected(std::move(catalogue.error()));
  return Volume(std::move(device), *superblock, std::move(catalogue->newest));
}

Result<> Volume::add_streams(std::span<const std::string> names) {
  Catalogue grown = catalogue_;
  std::set<std::string_view> known(catalogue_.streams.begin(), catalogue_.streams.end());
  for (const std::string& name : names) {
    if (known.insert(name).second) grown.streams.push_back(name);
  }
  if (grown.streams.size() == catalogue_.streams.size()) return {};
  ++grown.revision;
  auto encoded = encode_catalogue(grown);
  if (!encoded) return std::unexpected(std::move(encoded.error()));
  auto copies = read_catalogue(*device_);
  if (!copies) return std::unexpected(std::move(copies.error()));
  const PageBuffer aligned = allocate_pages(encoded->size());
  std::ranges::copy(*encoded, aligned.get());
  auto written =
      device_->write_head(kCataloguePosition[copies->next_copy], {aligned.get(), encoded->size()});
  if (!written) return written;
  catalogue_ = std::move(grown);
  return {};
}

}  // namespace penstock
