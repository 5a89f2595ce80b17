#include "storage/volume/volume.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "tests/lib/memory_device.h"

namespace penstock {
namespace {

using Names = std::vector<std::string>;

class VolumeTest : public testing::Test {
 protected:
  Result<Volume> create() {
    return Volume::create(std::make_unique<MemoryDevice>(drive_), {.segment_bytes = 1 * kMiB},
                          VolumeId{std::byte{7}}, UnixNanos(42));
  }
  Result<Volume> open() { return Volume::open(std::make_unique<MemoryDevice>(drive_)); }
  // What a fresh process finds.
  Names streams() { return open().value().catalogue().streams; }
  void damage(std::uint64_t offset) { drive_.head.at(offset) ^= std::byte{1}; }
  // The copy that was written last.
  std::size_t newest_copy() {
    const auto revision = [&](std::size_t i) {
      return load<CatalogueHeader>(drive_.head, kCataloguePosition[i]).revision;
    };
    return revision(1) > revision(0) ? 1 : 0;
  }

  MemoryDrive drive_;
};

TEST_F(VolumeTest, IsFoundAgainAsItWasMade) {
  ASSERT_TRUE(create().has_value());
  const Volume volume = open().value();
  EXPECT_EQ(volume.superblock().volume, VolumeId{std::byte{7}});
  EXPECT_EQ(volume.superblock().segment_bytes, 1 * kMiB);
  EXPECT_EQ(volume.superblock().created_ns, 42);
  EXPECT_TRUE(volume.catalogue().streams.empty());
}

TEST_F(VolumeTest, BlankDeviceHoldsNone) { EXPECT_EQ(open().error().code, Errc::kNotFound); }

TEST_F(VolumeTest, NothingForeignIsOverwritten) {
  for (const std::uint64_t at :
       {std::uint64_t{0}, std::uint64_t{1080}, 1 * kMiB + 5, kVolumeHeadBytes - 1}) {
    MemoryDrive before;
    before.head.at(at) = std::byte{0x53};
    drive_ = before;
    EXPECT_EQ(create().error().code, Errc::kAlreadyExists) << at;
    EXPECT_EQ(drive_.head, before.head) << at;
  }
}

TEST_F(VolumeTest, WhatLiesThereIsJudgedWithoutTouchingIt) {
  MemoryDevice device(drive_);
  EXPECT_FALSE(Volume::exists(device).value()) << "blank";
  ASSERT_TRUE(create().has_value());
  EXPECT_TRUE(Volume::exists(device).value());
  ASSERT_TRUE(open().value().add_streams(Names{"all"}).has_value());
  const auto lost = [&] {
    std::fill_n(drive_.head.begin(), kPageBytes, std::byte{0});
    return Volume::exists(device);
  }();
  ASSERT_FALSE(lost.has_value()) << "a volume that lost its superblock is not blank";
  EXPECT_EQ(lost.error().code, Errc::kAlreadyExists);
  EXPECT_NE(lost.error().what.find("superblock is lost"), std::string::npos);
}

TEST_F(VolumeTest, ADeviceThatHasShrunkIsRefusedAndOneThatHasGrownIsNot) {
  MemoryDevice device(drive_);
  drive_.fixed_bytes = 1 * kGiB;
  ASSERT_TRUE(create().has_value());
  EXPECT_EQ(open().value().superblock().device_bytes, 1 * kGiB);
  drive_.fixed_bytes = 2 * kGiB;
  EXPECT_TRUE(Volume::exists(device).value());
  drive_.fixed_bytes = 1 * kGiB - kPageBytes;
  const auto shrunk = Volume::exists(device);
  ASSERT_FALSE(shrunk.has_value());
  EXPECT_NE(shrunk.error().what.find("volume memory: the device has 1073737728 bytes and had "
                                     "1073741824 when the volume was made"),
            std::string::npos)
      << shrunk.error().what;
  EXPECT_TRUE(open().has_value()) << "what is left can be read";
}

TEST_F(VolumeTest, OneUnreadableCatalogueIsNotTheEnd) {
  ASSERT_TRUE(create().has_value());
  ASSERT_TRUE(open().value().add_streams(Names{"all"}).has_value());
  ASSERT_TRUE(open().value().add_streams(Names{"more"}).has_value());
  drive_.bad_head = {kCataloguePosition[1 - newest_copy()]};
  EXPECT_EQ(streams(), (Names{"all", "more"}));
}

TEST_F(VolumeTest, DamagedSuperblockIsSaidWithTheVolumesName) {
  ASSERT_TRUE(create().has_value());
  damage(20);
  EXPECT_EQ(open().error().code, Errc::kCorrupt);
  EXPECT_EQ(open().error().what, "volume memory: superblock: bad checksum");
}

TEST_F(VolumeTest, StreamsAreAddedOnceAndKept) {
  Volume volume = create().value();
  EXPECT_TRUE(volume.add_streams(Names{"all", "logs"}).has_value());
  EXPECT_EQ(streams(), (Names{"all", "logs"}));
  const auto before = drive_.head;
  EXPECT_TRUE(volume.add_streams(Names{"logs", "all"}).has_value());
  EXPECT_EQ(drive_.head, before) << "nothing was new, so nothing is written";
  EXPECT_TRUE(volume.add_streams(Names{"more"}).has_value());
  EXPECT_EQ(streams(), (Names{"all", "logs", "more"}));
}

TEST_F(VolumeTest, TornNewerCatalogueLeavesTheOlderOne) {
  Volume volume = create().value();
  ASSERT_TRUE(volume.add_streams(Names{"all"}).has_value());
  ASSERT_TRUE(volume.add_streams(Names{"logs"}).has_value());
  damage(kCataloguePosition[newest_copy()] + sizeof(CatalogueHeader) + 3);
  EXPECT_EQ(streams(), Names{"all"});
  // The next one goes over the torn copy, and the good one stays until it is there.
  Volume again = open().value();
  const std::size_t good = 1 - newest_copy();
  const auto kept = load<CatalogueHeader>(drive_.head, kCataloguePosition[good]);
  ASSERT_TRUE(again.add_streams(Names{"other"}).has_value());
  EXPECT_EQ(streams(), (Names{"all", "other"}));
  EXPECT_EQ(load<CatalogueHeader>(drive_.head, kCataloguePosition[good]).crc, kept.crc);
}

TEST_F(VolumeTest, NoCatalogueCopyLeftIsDamageNotAnEmptyOne) {
  Volume volume = create().value();
  ASSERT_TRUE(volume.add_streams(Names{"all"}).has_value());
  damage(kCataloguePosition[0] + 9);
  damage(kCataloguePosition[1] + 9);
  EXPECT_EQ(open().error().code, Errc::kCorrupt);
  EXPECT_EQ(open().error().what,
            "volume memory: no copy of its catalogue is readable: catalogue: bad checksum");
}

TEST_F(VolumeTest, OfAnotherFormatVersionIsRefusedAndLeftUntouched) {
  ASSERT_TRUE(create().has_value());
  // A later version's superblock, whole by its checksum.
  std::span<std::byte> page(drive_.head.data(), kPageBytes);
  store(page, offsetof(Superblock, version), kFormatVersion + 1);
  store(page, offsetof(Superblock, crc), std::uint32_t{0});
  store(page, offsetof(Superblock, crc), crc32c(page));
  const auto before = drive_.head;
  EXPECT_EQ(open().error().code, Errc::kUnsupportedVersion);
  EXPECT_EQ(create().error().code, Errc::kAlreadyExists);
  EXPECT_EQ(drive_.head, before);
}

}  // namespace
}  // namespace penstock
