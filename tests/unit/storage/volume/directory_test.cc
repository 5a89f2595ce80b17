#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "storage/volume/file.h"
#include "storage/volume/volume_device.h"
#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

constexpr std::uint64_t kSegmentBytes = 1 * kMiB;

class DirectoryTest : public testing::Test {
 protected:
  std::unique_ptr<VolumeDevice> device(DeviceAccess access = DeviceAccess::kReadWrite) {
    auto device = open_volume_device(folder_.path(), access).value();
    device->set_segment_bytes(kSegmentBytes);
    return device;
  }
  std::string file(std::string_view name) { return folder_.path() + "/" + std::string(name); }
  void touch(std::string_view name) { std::ofstream(file(name)) << "x"; }

  TestFolder folder_;
};

TEST_F(DirectoryTest, BelongsToOneWriterAtATime) {
  auto first = device();
  EXPECT_TRUE(first->lock().has_value());
  auto second = device();
  const auto refused = second->lock();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kBusy);
  EXPECT_NE(refused.error().what.find(folder_.path()), std::string::npos);
  first.reset();
  EXPECT_TRUE(second->lock().has_value()) << "the lock goes with its holder";
}

TEST_F(DirectoryTest, SlotsThatACrashLeftUnfinishedAreRemoved) {
  touch("segment-000003.unfinished");
  touch("somebody's.unfinished");
  EXPECT_TRUE(device()->lock().has_value());
  EXPECT_FALSE(std::filesystem::exists(file("segment-000003.unfinished")));
  EXPECT_TRUE(std::filesystem::exists(file("somebody's.unfinished")));
}

TEST_F(DirectoryTest, OnlyFinishedSlotsAreListedInOrder) {
  const auto volume = device();
  EXPECT_TRUE(volume->list_slots().value().empty());
  for (const std::uint32_t slot : {12U, 3U, 7U}) {
    EXPECT_TRUE(volume->make_slot(SlotIndex(slot)).value());
  }
  for (const auto* name : {"segment-000005.unfinished", "segment-x", "segment-", "volume2",
                           "segment-1", "segment-0000009"}) {
    touch(name);
  }
  std::filesystem::create_directory(file("segment-000013"));
  EXPECT_EQ(volume->list_slots().value(), (std::vector{SlotIndex(3), SlotIndex(7), SlotIndex(12)}));
}

TEST_F(DirectoryTest, NewSlotIsAllZerosAndNoLonger) {
  const auto volume = device();
  ASSERT_TRUE(volume->make_slot(SlotIndex(0)).value());
  EXPECT_EQ(std::filesystem::file_size(file("segment-000000")), kSegmentBytes);
  const PageBuffer buffer = allocate_pages(kSegmentBytes);
  const std::span bytes(buffer.get(), kSegmentBytes);
  std::ranges::fill(bytes, std::byte{1});
  EXPECT_TRUE(volume->read(SlotIndex(0), 0, bytes).has_value());
  EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
  const auto beyond = volume->read(SlotIndex(0), kSegmentBytes, bytes.first(kPageBytes));
  ASSERT_FALSE(beyond.has_value());
  EXPECT_NE(beyond.error().what.find("segment-000000"), std::string::npos);
}

TEST_F(DirectoryTest, AnotherProcessReadsWhatWasWritten) {
  const auto writer = device();
  ASSERT_TRUE(writer->make_slot(SlotIndex(0)).value());
  const PageBuffer page = allocate_pages(kPageBytes);
  const std::span bytes(page.get(), kPageBytes);
  std::ranges::fill(bytes, std::byte{'p'});
  EXPECT_TRUE(writer->write(SlotIndex(0), 8 * kPageBytes, bytes).has_value());
  const auto reader = device(DeviceAccess::kReadOnly);
  const PageBuffer found = allocate_pages(kPageBytes);
  EXPECT_TRUE(reader->read(SlotIndex(0), 8 * kPageBytes, {found.get(), kPageBytes}).has_value());
  EXPECT_TRUE(std::ranges::equal(bytes, std::span(found.get(), kPageBytes)));
  EXPECT_FALSE(reader->write(SlotIndex(0), 0, bytes).has_value());
}

TEST_F(DirectoryTest, SlotThatExistsOrDoesNotIsSaid) {
  const auto volume = device();
  ASSERT_TRUE(volume->make_slot(SlotIndex(4)).value());
  EXPECT_TRUE(volume->remove_slot(SlotIndex(4)).has_value());
  EXPECT_FALSE(std::filesystem::exists(file("segment-000004")));
  EXPECT_EQ(volume->remove_slot(SlotIndex(4)).error().code, Errc::kNotFound);
  EXPECT_EQ(volume->open_slot(SlotIndex(4)).error().code, Errc::kNotFound);
}

// Makes the kernel refuse to let files grow, as a full drive does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(DirectoryTest, SlotThatFindsNoRoomLeavesNothingBehind) {
  const auto volume = device();
  {
    const FileSizeLimit limit(kSegmentBytes / 2);
    const auto made = volume->make_slot(SlotIndex(1));
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().what.find("make room for " + file("segment-000001")), std::string::npos);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  EXPECT_TRUE(volume->make_slot(SlotIndex(1)).value()) << "and it can be tried again";
}

TEST_F(DirectoryTest, ALargeSlotIsMadeInPieces) {
  const auto volume = device();
  volume->set_segment_bytes(32 * kMiB);
  int pieces = 1;
  while (!volume->make_slot(SlotIndex(2)).value()) {
    ++pieces;
    EXPECT_TRUE(volume->list_slots().value().empty()) << "it does not exist before it is whole";
  }
  EXPECT_EQ(pieces, 4);
  EXPECT_EQ(std::filesystem::file_size(file("segment-000002")), 32 * kMiB);
}

TEST_F(DirectoryTest, ASlotThatNobodyFinishedIsNotLeftBehind) {
  {
    const auto volume = device();
    volume->set_segment_bytes(32 * kMiB);
    EXPECT_FALSE(volume->make_slot(SlotIndex(2)).value());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DirectoryTest, IsFreeForAVolumeOnlyWhenNothingElseIsThere) {
  EXPECT_TRUE(device()->check_unused().has_value());
  for (const auto* name : {"volume", "lock", "lost+found", "segment-000001.unfinished"}) {
    touch(name);
  }
  EXPECT_TRUE(device()->check_unused().has_value());
  touch("segment-000001");
  const auto headless = device()->check_unused();
  ASSERT_FALSE(headless.has_value());
  EXPECT_NE(headless.error().what.find("is lost"), std::string::npos);
  std::filesystem::remove(file("segment-000001"));
  touch("thesis.doc");
  const auto foreign = device()->check_unused();
  ASSERT_FALSE(foreign.has_value());
  EXPECT_NE(foreign.error().what.find("'thesis.doc'"), std::string::npos);
}

TEST_F(DirectoryTest, AHeadThatACrashCutShortIsBlankWhereItEnds) {
  touch("volume");
  const PageBuffer head = allocate_pages(kPageBytes);
  const std::span bytes(head.get(), kPageBytes);
  std::ranges::fill(bytes, std::byte{1});
  EXPECT_TRUE(device()->read_head(1 * kMiB, bytes).has_value());
  EXPECT_TRUE(all_zero(bytes));
}

TEST_F(DirectoryTest, WithoutAHeadIsBlank) {
  const PageBuffer head = allocate_pages(kPageBytes);
  const std::span bytes(head.get(), kPageBytes);
  std::ranges::fill(bytes, std::byte{1});
  EXPECT_TRUE(device()->read_head(0, bytes).has_value());
  EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(DirectoryTest, TellsTheSpaceOfItsFileSystem) {
  const DeviceSpace space = device()->space().value();
  EXPECT_GT(space.free_bytes, 0U);
  EXPECT_GE(space.total_bytes, space.free_bytes);
}

TEST_F(DirectoryTest, OtherKindsOfFilesAreNoVolumes) {
  touch("file");
  const auto refused = open_volume_device(file("file"), DeviceAccess::kReadOnly);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(open_volume_device(file("none"), DeviceAccess::kReadOnly).error().code,
            Errc::kNotFound);
}

}  // namespace
}  // namespace penstock
