#include "dataplane/port/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using ::testing::HasSubstr;

std::string planned(const std::string& device, const DeviceNeeds& needs = {}) {
  const auto plan = plan_device(device, needs);
  return plan ? plan->device : "refused: " + plan.error().what;
}
std::uint32_t buffer_of(const std::string& device, const DeviceNeeds& needs = {}) {
  return plan_device(device, needs).value().buffer_bytes;
}

TEST(Device, ArgumentsAreFoundByTheirWholeName) {
  constexpr std::string_view kDevice = "net_memif0,role=server,socket=/run/m,socket-abstract=no";
  EXPECT_EQ(device_argument(kDevice, "socket"), "/run/m");
  EXPECT_EQ(device_argument(kDevice, "socket-abstract"), "no");
  EXPECT_EQ(device_argument(kDevice, "sock"), "");
}

TEST(Device, APciAddressIsNamedInFullHoweverItIsWritten) {
  for (const std::string text :
       {"3b:00.0", "0000:3b:00.0", "0000:3B:00.0", "3B:0.0", "0:3b:00.0"}) {
    EXPECT_TRUE(is_pci_address(text)) << text;
    EXPECT_EQ(device_name(text), "0000:3b:00.0") << text;
  }
  EXPECT_EQ(device_name("10000:01:1f.7,a=b"), "10000:01:1f.7");
  EXPECT_EQ(planned("3b:00.0,representor=[0]"), "0000:3b:00.0,representor=[0]");
  for (const std::string text : {"3b:00", "3b.00.0", "3b:20.0", "3b:00.8", "1ff:00.0", "3b:00.0x",
                                 "-1:00.0", "0:0:3b:00.0", "net_ring0", ""}) {
    EXPECT_FALSE(is_pci_address(text)) << text;
  }
}

TEST(Device, AnAfPacketRingHoldsWhatThePortMayReceive) {
  EXPECT_EQ(planned("net_af_packet0,iface=e"),
            "net_af_packet0,iface=e,qpairs=1,framesz=2048,blocksz=4096,framecnt=1024");
  EXPECT_EQ(planned("net_af_packet0,iface=e", {.mtu = 9000}),
            "net_af_packet0,iface=e,qpairs=1,framesz=12288,blocksz=12288,framecnt=1024");
  // Datagrams that the kernel puts together are longer than the MTU.
  EXPECT_EQ(planned("net_af_packet0,iface=e", {.buffer_bytes = 60'000}),
            "net_af_packet0,iface=e,qpairs=1,framesz=61440,blocksz=61440,framecnt=1024");
  // The driver refuses buffers that a frame does not fit in.
  EXPECT_EQ(buffer_of("net_af_packet0,iface=e"), 2048U);
  EXPECT_EQ(buffer_of("net_af_packet0,iface=e", {.mtu = 9000}), 12288U - 32);
  EXPECT_EQ(buffer_of("net_af_packet0,iface=e,framesz=4096"), 4096U - 32);
}

TEST(Device, AnAfPacketRingHasAFrameForEachDescriptor) {
  EXPECT_THAT(planned("net_af_packet0,iface=e", {.receive_descriptors = 333}),
              HasSubstr("framecnt=332"));
  EXPECT_THAT(planned("net_af_packet0,iface=e,framecnt=64"), HasSubstr("framecnt=64,qpairs"));
}

TEST(Device, AnAfPacketRingThatCannotBeIsRefused) {
  const auto refuses = [](const std::string& arguments, const DeviceNeeds& needs,
                          const std::string& why) {
    EXPECT_THAT(planned("net_af_packet0,iface=e," + arguments, needs),
                testing::AllOf(HasSubstr("refused: "), HasSubstr(why)));
  };
  refuses("framesz=2048", {.mtu = 9000}, "framesz=2048 cuts packets that mtu = 9000");
  refuses("framesz=1584", {}, "they want at least 1588");
  refuses("framesz=2040", {}, "framesz one of 16");
  refuses("framesz=3072", {}, "blocksz=4096 must be a multiple of framesz=3072");
  refuses("blocksz=2048", {}, "blocksz=2048 must be a multiple of framesz=2048 and of 4096");
  refuses("blocksz=1024", {}, "blocksz=1024 must be");
  refuses("framecnt=511", {}, "framecnt=511 must be a multiple of the 2 frames in a block");
  refuses("framecnt=many", {}, "framecnt=many must be a whole number");
  refuses("framesz=0", {}, "framesz=0 must be a whole number");
  refuses("framesz=65536,blocksz=65536", {}, "an AF_PACKET frame has at most 61440 bytes");
  refuses("a=b", {.mtu = 65'000}, "an AF_PACKET frame has at most 61440 bytes");
  refuses("a=b", {.buffer_bytes = 1000}, "buffer_bytes = 1000 must be 0, or from 2048 to 61440");
}

TEST(Device, ADeviceHasAQueueForEachShard) {
  EXPECT_THAT(planned("net_af_packet0,iface=e", {.queues = 3}), HasSubstr("qpairs=3"));
  EXPECT_THAT(planned("net_af_packet0,iface=e,qpairs=2", {.queues = 2}), HasSubstr(",qpairs=2,"));
  EXPECT_THAT(planned("net_af_packet0,iface=e,qpairs=2"),
              HasSubstr("qpairs=2 and 1 shards poll the port"));
  EXPECT_EQ(planned("net_af_xdp0,iface=e"), "net_af_xdp0,iface=e");
  EXPECT_EQ(planned("net_af_xdp0,iface=e,queue_count=2", {.queues = 2}),
            "net_af_xdp0,iface=e,queue_count=2");
  EXPECT_THAT(planned("net_af_xdp0,iface=e,queue_count=2"),
              HasSubstr("has 2 queues (queue_count) and 1 shards"));
  EXPECT_THAT(planned("net_af_xdp0,iface=e", {.queues = 2}), HasSubstr("write queue_count=2"));
}

TEST(Device, AnAfXdpBufferFitsInAPage) {
  EXPECT_EQ(buffer_of("net_af_xdp0,iface=e"), 2048U);
  EXPECT_EQ(buffer_of("net_af_xdp0,iface=e", {.mtu = 3000}), 3022U + 256);
  EXPECT_EQ(buffer_of("net_af_xdp0,iface=e", {.mtu = 9000}), 3264U + 256);
  EXPECT_THAT(planned("net_af_xdp0,iface=e", {.buffer_bytes = 4096}),
              HasSubstr("packets of at most 3264 bytes"));
}

TEST(Device, AMemifPortIsTheServerUnlessItSaysOtherwise) {
  EXPECT_EQ(planned("net_memif0"), "net_memif0,role=server");
  EXPECT_EQ(planned("net_memif0,role=client"), "net_memif0,role=client");
}

TEST(Device, OthersAreLeftAsTheyAre) {
  EXPECT_EQ(planned("net_ring0", {.queues = 4, .mtu = 9000}), "net_ring0");
  EXPECT_EQ(buffer_of("net_ring0", {.mtu = 9000}), 2048U);
  EXPECT_EQ(buffer_of("net_ring0", {.buffer_bytes = 9216}), 9216U);
}

}  // namespace
}  // namespace penstock
