#include "storage/recover/head_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "storage/recover/page_reads.h"

namespace penstock {
namespace {

constexpr std::uint64_t kPages = kVolumeHeadBytes / kPageBytes;

class HeadChecker {
 public:
  explicit HeadChecker(VolumeDevice& device) : device_(device) {}

  Result<HeadCheck> run();

 private:
  Result<> read();
  Result<> check_superblock();
  void check_catalogue();
  // Bytes [from, to) are zero; else pages with others are found.
  void check_zero(std::uint64_t from, std::uint64_t to, Finding::Kind kind, std::string_view what);
  void find(Finding::Kind kind, std::uint64_t offset, std::uint64_t bytes, std::string what) {
    result_.findings.push_back({kind, kVolumeHead, offset, bytes, std::move(what)});
  }

  VolumeDevice& device_;
  PageBuffer buffer_ = allocate_pages(kVolumeHeadBytes);
  std::span<std::byte> head_{buffer_.get(), kVolumeHeadBytes};
  HeadCheck result_;
};

Result<HeadCheck> HeadChecker::run() {
  if (auto done = read(); !done) return std::unexpected(std::move(done.error()));
  if (auto done = check_superblock(); !done) return std::unexpected(std::move(done.error()));
  constexpr auto kUnused = Finding::Kind::kUnusedNotBlank;
  check_zero(kPageBytes, kCataloguePosition[0], kUnused, "unused bytes of the head");
  check_catalogue();
  check_zero(kCataloguePosition[1] + kCatalogueBytes, kVolumeHeadBytes, kUnused,
             "unused bytes of the head");
  return std::move(result_);
}

Result<> HeadChecker::read() {
  auto whole = device_.read_head(0, head_);
  if (whole) return {};
  std::uint64_t unreadable = 0;
  for (std::uint64_t at = 0; at < kVolumeHeadBytes; at += kPageBytes) {
    if (device_.read_head(at, head_.subspan(at, kPageBytes))) continue;
    ++unreadable;
    std::ranges::fill(head_.subspan(at, kPageBytes), std::byte{0});
    std::vector<Finding>& findings = result_.findings;
    if (!findings.empty() && findings.back().offset + findings.back().bytes == at) {
      findings.back().bytes += kPageBytes;
    } else {
      find(Finding::Kind::kUnreadable, at, kPageBytes,
           "the volume's head: the drive does not give these bytes");
    }
  }
  return unreadable == kPages ? whole : Result<>{};
}

Result<> HeadChecker::check_superblock() {
  const auto superblock = decode_superblock(head_.first(kPageBytes));
  if (!superblock && superblock.error().code == Errc::kUnsupportedVersion) {
    return std::unexpected(superblock.error());
  }
  if (superblock && superblock->segment_bytes >= kSegmentBytesMin &&
      superblock->segment_bytes <= kSegmentBytesMax &&
      superblock->segment_bytes % kPageBytes == 0) {
    result_.superblock = *superblock;
    if (const std::uint64_t bytes = device_.fixed_bytes(); bytes < superblock->device_bytes) {
      find(Finding::Kind::kUnreadable, bytes, superblock->device_bytes - bytes,
           "the device is shorter than when the volume was made");
    }
    return {};
  }
  if (all_zero(head_) && result_.findings.empty() && !superblock_by_slots(device_)) {
    return fail(Errc::kNotFound, "superblock: blank");
  }
  find(Finding::Kind::kCorruptSuperblock, 0, kPageBytes,
       superblock ? "superblock: impossible segment size" : superblock.error().what);
  return {};
}

void HeadChecker::check_catalogue() {
  std::optional<Result<Catalogue>> copies[2];
  for (std::size_t i = 0; i < 2; ++i) {
    auto copy = decode_catalogue(head_.subspan(kCataloguePosition[i], kCatalogueBytes));
    if (copy &&
        (result_.catalogue.streams.empty() || copy->revision > result_.catalogue.revision)) {
      result_.catalogue = *copy;
    }
    copies[i] = std::move(copy);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t begin = kCataloguePosition[i];
    const Result<Catalogue>& copy = *copies[i];
    std::uint64_t length = 0;
    if (copy) {
      length = load<CatalogueHeader>(head_, begin).length;
    } else if (copy.error().code != Errc::kNotFound || i == 0 || result_.catalogue.revision > 0) {
      // The first is there before the superblock, and the first revision goes to the other.
      find(Finding::Kind::kWrongCatalogue, begin, kCatalogueBytes,
           copy.error().what +
               (*copies[1 - i] ? "; the other copy is used" : "; no copy is readable"));
      continue;
    }
    check_zero(begin + length, begin + kCatalogueBytes, Finding::Kind::kWrongCatalogue,
               "catalogue: bytes behind its end");
  }
}

void HeadChecker::check_zero(std::uint64_t from, std::uint64_t to, Finding::Kind kind,
                             std::string_view what) {
  std::optional<std::uint64_t> begin;
  for (std::uint64_t at = from; at < to;) {
    const std::uint64_t end = std::min((at / kPageBytes + 1) * kPageBytes, to);
    const bool zero = all_zero(head_.subspan(at, end - at));
    if (!zero && !begin) begin = at;
    if (begin && (zero || end == to)) {
      const std::uint64_t bytes = (zero ? at : end) - *begin;
      find(kind, *begin, bytes, fmt::format("{} are not zero", what));
      begin.reset();
    }
    at = end;
  }
}

}  // namespace

Result<HeadCheck> check_head(VolumeDevice& device) { return HeadChecker(device).run(); }

std::optional<Superblock> superblock_by_slots(VolumeDevice& device) {
  const PageBuffer buffer = allocate_pages(kPageBytes);
  const std::span page(buffer.get(), kPageBytes);
  const auto look = [&](SlotIndex slot) -> std::optional<Superblock> {
    auto unreadable = read_pages(device, slot, 0, page);
    if (!unreadable) return std::nullopt;
    const auto header = decode_segment_header(page);
    if (!header || header->slot != slot.value) return std::nullopt;
    Superblock superblock{};
    superblock.volume = header->volume;
    superblock.segment_bytes = header->segment_bytes;
    return superblock;
  };
  // The first slot of a block device has its place whatever the size of a slot is.
  if (auto known = look(SlotIndex(0))) return known;
  const auto slots = device.list_slots();
  if (!slots) return std::nullopt;
  for (const SlotIndex slot : *slots) {
    if (auto known = look(slot)) return known;
  }
  return std::nullopt;
}

}  // namespace penstock
