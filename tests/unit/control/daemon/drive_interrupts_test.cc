#include "control/daemon/drive_interrupts.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/lib/log_fixture.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

// A host's sysfs and /proc in a folder, where the drive of that very folder is what a test says.
class DriveInterruptsTest : public testing::Test {
 protected:
  DriveInterruptsTest() {
    write("proc/interrupts",
          "            CPU0       CPU1       CPU2       CPU3\n"
          "  40:          0          0          0          0  PCI-MSIX  config\n"
          "  41:          9          0          0          0  PCI-MSIX  queue\n"
          "  50:          0          0          7          0  PCI-MSIX  other\n"
          " NMI:          1          1          1          1  Non-maskable\n");
    drive("devices/pci0000:00/0000:00:05.0", {40, 41});
    drive("devices/pci0000:00/0000:00:06.0", {50});
    fs::create_directories(sys("dev/block"));
  }

  std::string sys(const std::string& path) { return root_.path() + "/sys/" + path; }
  void write(const std::string& path, const std::string& text) {
    const fs::path file = root_.path() + "/" + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void drive(const std::string& path, const std::vector<int>& interrupts) {
    for (const int number : interrupts) write(fmt::format("sys/{}/msi_irqs/{}", path, number), "");
  }
  void folder(const std::string& path) { fs::create_directories(sys(path)); }
  void link(const std::string& from, const std::string& to) {
    fs::create_directories(fs::path(sys(from)).parent_path());
    fs::create_symlink(sys(to), sys(from));
  }
  // What the volume's folder lies on.
  void volume_is_on(const std::string& block) {
    struct stat st{};
    ASSERT_EQ(stat(root_.path().c_str(), &st), 0);
    folder(block);
    link(fmt::format("dev/block/{}:{}", major(st.st_dev), minor(st.st_dev)), block);
  }
  std::set<unsigned> cores() { return drive_interrupt_cores({root_.path()}, root_.path()); }

  TestFolder root_;
};

using Cores = std::set<unsigned>;

TEST_F(DriveInterruptsTest, APartitionIsFollowedToItsDrive) {
  volume_is_on("devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1");
  EXPECT_EQ(cores(), Cores{0});
}

TEST_F(DriveInterruptsTest, LvmAndMdAreFollowedToTheirDrives) {
  folder("devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1");
  folder("devices/pci0000:00/0000:00:06.0/virtio3/block/vdb");
  link("devices/virtual/block/dm-0/slaves/md0", "devices/virtual/block/md0");
  link("devices/virtual/block/md0/slaves/vda1",
       "devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1");
  link("devices/virtual/block/md0/slaves/vdb", "devices/pci0000:00/0000:00:06.0/virtio3/block/vdb");
  volume_is_on("devices/virtual/block/dm-0");
  EXPECT_EQ(cores(), (Cores{0, 2}));
}

TEST_F(DriveInterruptsTest, MultipathNvmeIsFollowedToItsControllers) {
  folder("devices/pci0000:00/0000:00:06.0/nvme/nvme0");
  link("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0",
       "devices/pci0000:00/0000:00:06.0/nvme/nvme0");
  volume_is_on("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
  EXPECT_EQ(cores(), Cores{2});
}

TEST_F(DriveInterruptsTest, WhereTheInterruptsWentBeforeTheyWereMovedDoesNotCount) {
  volume_is_on("devices/pci0000:00/0000:00:05.0/virtio2/block/vda");
  write("proc/irq/41/effective_affinity_list", "2-3\n");
  EXPECT_EQ(cores(), (Cores{2, 3}));
}

TEST_F(DriveInterruptsTest, APathWithoutADriveHasNone) {
  EXPECT_TRUE(drive_interrupt_cores({"/dev/shm"}).empty());
  EXPECT_TRUE(drive_interrupt_cores({"/does/not/exist"}).empty());
  EXPECT_TRUE(cores().empty());
}

TEST(CoreListTest, IsReadAsTheKernelWritesIt) {
  EXPECT_EQ(parse_core_list("0-2,8\n"), (Cores{0, 1, 2, 8}));
  EXPECT_TRUE(parse_core_list("\n").empty());
}

}  // namespace
}  // namespace penstock
