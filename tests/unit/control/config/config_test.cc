#include "control/config/config.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/doors.h"

namespace penstock {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kSmallest = R"(
[[port]]
name = "lan0"
device = "net_ring0"
[[shard]]
[[volume]]
name = "main"
path = "/data"
[[door]]
name = "syslog"
listen = ["*:514"]
)";

// Every problem of a configuration, as it is printed.
std::vector<std::string> problems_of(const std::string& text) {
  const auto config = parse_config(text, "node.toml");
  std::vector<std::string> problems;
  if (config) return problems;
  for (const ConfigProblem& problem : config.error()) problems.push_back(to_string(problem));
  return problems;
}

std::string smallest_with(std::string_view before, std::string_view after) {
  std::string text(kSmallest);
  const auto at = text.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  return text.replace(at, before.size(), after);
}

TEST(Config, SmallestFileHasDefaults) {
  const Config config = parse_config(kSmallest, "node.toml").value();
  EXPECT_EQ(config.node.name, "penstock");
  EXPECT_EQ(config.dpdk.file_prefix, "penstock");
  EXPECT_EQ(config.shards.at(0).volume, "main");
  EXPECT_EQ(config.volumes.at(0).segment_bytes, 256 * kMiB);
  ASSERT_EQ(config.streams.size(), 1U);
  EXPECT_EQ(config.streams[0].name, "all");
  EXPECT_EQ(config.streams[0].subjects, std::vector<std::string>{">"});
}

TEST(Config, ExampleIsValidAndShowsEveryDefault) {
  std::ifstream file("docs/penstock.toml");
  std::stringstream text;
  text << file.rdbuf();
  const auto parsed = parse_config(text.str(), "docs/penstock.toml");
  ASSERT_TRUE(parsed.has_value()) << to_string(parsed.error().at(0));
  const Config& config = *parsed;
  const PortConfig port{};
  EXPECT_EQ(config.ports.at(0).buffers, port.buffers);
  EXPECT_EQ(config.ports[0].buffer_bytes, port.buffer_bytes);
  EXPECT_EQ(config.ports[0].receive_descriptors, port.receive_descriptors);
  EXPECT_EQ(config.ports[0].fragment_timeout_ns, port.fragment_timeout_ns);
  EXPECT_EQ(config.ports[0].answer_limit, port.answer_limit);
  const VolumeConfig volume{};
  EXPECT_EQ(config.volumes.at(0).segment_bytes, volume.segment_bytes);
  EXPECT_EQ(config.volumes[0].block_bytes, volume.block_bytes);
  EXPECT_EQ(config.volumes[0].memory, volume.memory);
  EXPECT_EQ(config.volumes[0].linger_ns, volume.linger_ns);
  EXPECT_EQ(config.volumes[0].queue_depth, volume.queue_depth);
  EXPECT_EQ(config.dpdk.memory, DpdkConfig{}.memory);
}

TEST(Config, UnknownKeyNamesLineAndNearestKey) {
  EXPECT_THAT(problems_of(smallest_with("device", "devise = \"x\"\ndevice")),
              Contains("node.toml:4: port[0].devise: unknown key; did you mean 'device'?"));
  EXPECT_THAT(problems_of(smallest_with("[[port]]", "[nodes]\n[[port]]")),
              Contains("node.toml:2: nodes: unknown key; did you mean 'node'?"));
  EXPECT_THAT(problems_of(smallest_with("path", "retention.max_bites = 1\npath")),
              Contains(HasSubstr("volume[0].retention.max_bites: unknown key; did you mean "
                                 "'max_bytes'?")));
}

TEST(Config, EveryProblemIsReportedNotJustTheFirst) {
  const auto problems = problems_of(
      "[node]\nname = 7\n[[port]]\nname = \"a\"\n[[volume]]\nname = \"v\"\nlinger = \"soon\"\n");
  EXPECT_THAT(problems, Contains("node.toml:2: node.name: must be a string in quotes"));
  EXPECT_THAT(problems, Contains(AllOf(HasSubstr("node.toml:3: port[0].device: is missing"))));
  EXPECT_THAT(problems, Contains(HasSubstr("node.toml:7: volume[0].linger: 'soon' is not a")));
}

TEST(Config, SyntaxErrorNamesLineColumnAndRemedy) {
  EXPECT_THAT(problems_of("[node]\nname = \n"),
              Contains(AllOf(HasSubstr("node.toml:2: column 8: "), HasSubstr("in quotes"))));
}

TEST(Config, AKeyThatIsElsewhereOrHalfIsFound) {
  EXPECT_THAT(problems_of(smallest_with("path", "max_bytes = 1\npath")),
              Contains(HasSubstr("did you mean 'retention.max_bytes'?")));
  EXPECT_THAT(problems_of(smallest_with("path", "blocksize = 1\npath")),
              Contains(HasSubstr("did you mean 'block_bytes'?")));
  EXPECT_THAT(problems_of(smallest_with("[[port]]", "[node]\nruntime = \"/r\"\n[[port]]")),
              Contains(HasSubstr("did you mean 'runtime_dir'?")));
  EXPECT_THAT(problems_of(smallest_with("path", "retention = 3\npath")),
              Contains(HasSubstr("volume[0].retention: must be a table")));
}

TEST(Config, WhatIsTooManyOrMissingHasALine) {
  EXPECT_THAT(problems_of(""), Contains("node.toml:1: port: a node needs at least one [[port]]"));
  std::string shards(kSmallest);
  for (int i = 0; i < 64; ++i) shards += "[[shard]]\n";
  EXPECT_THAT(problems_of(shards),
              Contains(HasSubstr("node.toml:75: shard[64]: a node has at most 64 [[shard]]")));
  std::string ports(kSmallest);
  for (int i = 0; i < 32; ++i) {
    ports += "[[port]]\nname = \"p" + std::to_string(i) + "\"\ndevice = \"net_ring" +
             std::to_string(i + 1) + "\"\n";
  }
  EXPECT_THAT(problems_of(ports), Contains(HasSubstr("port[32]: a node has at most 32 [[port]]")));
}

TEST(Config, PathsAreComparedAsPlaces) {
  const Config config = parse_config(smallest_with("\"/data\"", "\"//data//\""), "a").value();
  EXPECT_EQ(config.volumes.at(0).path, "/data");
  EXPECT_THAT(problems_of(smallest_with("[[volume]]",
                                        "[[volume]]\nname = \"x\"\npath = \"/data/\"\n[[volume]]")),
              Contains(HasSubstr("is the path of volume 'x' too")));
}

TEST(Config, MulticastIsWantedForGroupsAndForIpv6) {
  const auto wants = [](std::string_view before, std::string_view after) {
    const Config config = parse_config(smallest_with(before, after), "a").value();
    return wants_multicast(config, config.ports.at(0));
  };
  EXPECT_FALSE(wants("[[port]]", "[[port]]\naddresses = [\"10.0.0.2/24\"]"));
  EXPECT_TRUE(wants("[[port]]", "[[port]]\naddresses = [\"fd00::2/64\"]"));
  EXPECT_TRUE(wants("\"*:514\"", "\"239.1.2.3:514\""));
}

TEST(Config, MissingFileIsAnErrorThatNamesIt) {
  const auto config = load_config("build/no-such.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(to_string(config.error().at(0)),
              AllOf(HasSubstr("build/no-such.toml"), HasSubstr("No such file")));
}

TEST(Config, ADirectoryIsNoFileAndSoItSays) {
  const auto config = load_config("docs");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(to_string(config.error().at(0)), HasSubstr("Is a directory"));
}

TEST(Config, WhatAFileSaysDoesNotCommandTheTerminal) {
  for (const auto* line : {"memory = \"\\u001b[2J\"\npath", "\"\\u001b[2J\" = 1\npath"}) {
    EXPECT_THAT(problems_of(smallest_with("path", line)), Contains(HasSubstr("\\x1B[2J")));
  }
}

struct Refusal {
  std::string_view before, after, says;
};
class WholeConfig : public ::testing::TestWithParam<Refusal> {};
TEST_P(WholeConfig, IsRefusedWithRemedy) {
  const auto& [before, after, says] = GetParam();
  EXPECT_THAT(problems_of(smallest_with(before, after)), Contains(HasSubstr(std::string(says))));
}
INSTANTIATE_TEST_SUITE_P(
    Contradictions, WholeConfig,
    ::testing::Values(
        Refusal{"[[shard]]", "", "shard: a node needs at least one [[shard]]"},
        Refusal{"[[shard]]", "[[shard]]\nvolume = \"mian\"", "there is no volume 'mian'"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\nshards = [1]", "there is no shard 1"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\naddresses = [\"10.0.0.300/8\"]", "10.0.0.300"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\nbuffers = 1024", "must be at least"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\nbuffers = 400000", "raise dpdk.memory"},
        Refusal{"\"*:514\"", "\"*:514\", \"*:514\"", "a door listens on '*:514' already"},
        Refusal{"\"*:514\"", "\"*\"", "'*'"},
        Refusal{"[\"*:514\"]", "[\"*:514\"]\nsubject = \"a.{hots}\"", "unknown variable 'hots'"},
        Refusal{"[\"*:514\"]", "[\"*:514\"]\nframing = \"line\"", "is for kind = \"line\" only"},
        Refusal{"\"/data\"", "\"/data\"\nblock_bytes = 20001", "multiple of 4096"},
        Refusal{"\"/data\"", "\"/data\"\nsegment_bytes = \"1MiB\"\nblock_bytes = \"512KiB\"",
                "a quarter of segment_bytes"},
        Refusal{"\"/data\"", "\"/data\"\nmemory = \"1MiB\"\nblock_bytes = \"1MiB\"",
                "at least 4 blocks"},
        Refusal{"[[volume]]", "[[shard]]\n[[volume]]\ncapacity = \"1535MiB\"",
                "volume[0].capacity: must hold 3 segments of 256MiB for each of its 2 shards: "
                "1536MiB"},
        Refusal{"path = \"/data\"", "", "a directory or a block device"},
        Refusal{"[[port]]", "[node]\nmemory_limit = \"64MiB\"\n[[port]]", "raise the limit"},
        Refusal{"[[door]]", "[[stream]]\nname = \"s\"\nsubjects = [\"a.>.b\"]\n[[door]]",
                "'>' stands at the end only"},
        Refusal{"\"lan0\"", "\"la n0\"", "letters, digits"},
        Refusal{"\"net_ring0\"", "\"eth0\"", "port[0].device: 'eth0' is no device"},
        Refusal{"\"net_ring0\"", "\"--foo\"", "'--foo' is no device"},
        Refusal{"\"net_ring0\"", "\"net_ring0 \"", "'net_ring0 ' is no device"},
        Refusal{"\"net_ring0\"", "\"net_rinf0\"", "did you mean \"net_ring0\"?"},
        Refusal{"[[port]]", "[dpdk]\nfile_prefix = \"a/../../b\"\n[[port]]",
                "node.toml:3: dpdk.file_prefix: must have 1 to 64 letters"},
        Refusal{"[[port]]", "[dpdk]\nfile_prefix = \"-x\"\n[[port]]", "not begin with '-'"},
        Refusal{"[[port]]", "[node]\nruntime_dir = \"run\"\n[[port]]", "absolute path"},
        Refusal{"\"/data\"", "\"data\"", "volume[0].path: must be an absolute path"},
        Refusal{"\"/data\"", "\"/da\\u0000ta\"", "has a control character"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\naddresses = [\"224.0.0.9\"]", "nobody's own"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\naddresses = [\"0.0.0.0/0\"]", "nobody's own"},
        Refusal{"[[shard]]", "[[shard]]\n[[port]]\nname = \"b\"\ndevice = \"net_ring0,x=1\"",
                "is the device of port 'lan0' too"},
        Refusal{"\"net_ring0\"",
                "\"net_tap0,iface=t\"\n[[port]]\nname = \"b\"\ndevice = \"net_af_packet0,iface=t\"",
                "port 'lan0' has the interface t already"},
        Refusal{
            "\"net_ring0\"",
            "\"net_memif0,socket=/m\"\n[[port]]\nname = \"b\"\ndevice = \"net_memif1,socket=/m\"",
            "port 'lan0' has the memif socket /m with id 0 already"},
        Refusal{"\"net_ring0\"", "\"0000:3B:00.0\"\n[[port]]\nname = \"b\"\ndevice = \"3b:00.0\"",
                "'0000:3b:00.0' is the device of port 'lan0' too"},
        Refusal{"\"net_ring0\"", "\"net_af_packet0,iface=e,qpairs=2\"",
                "node.toml:4: port[0].device: qpairs=2 and 1 shards poll the port"},
        Refusal{"\"net_ring0\"", "\"net_af_packet0,iface=e,framesz=2048\"\nmtu = 9000",
                "framesz=2048 cuts packets"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\nbuffer_bytes = 100",
                "node.toml:5: port[0].buffer_bytes: must be 0, or from 2KiB to 60KiB"},
        Refusal{"\"net_ring0\"", "\"net_ring0\"\nbuffer_bytes = \"32KiB\"", "raise dpdk.memory"},
        Refusal{"\"net_ring0\"\n[[shard]]", "\"net_ring0\"\nshards = [0]\n[[shard]]\n[[shard]]",
                "shard[1]: polls nothing: add 1 to the shards of a port"},
        Refusal{"\"net_ring0\"\n",
                "\"net_ring0\"\naddresses = [\"10.0.0.2/24\"]\n[[door]]\n"
                "name = \"d\"\nlisten = [\"10.0.0.3:514\"]\n",
                "no port has the address of '10.0.0.3:514'"},
        Refusal{"[[volume]]", "[[volume]]\nname = \"x\"\npath = \"/x\"\n[[volume]]",
                "there are several volumes: name one"}));

TEST(Config, ADoorMayListenWhereAPortCanTakePackets) {
  for (const auto* where : {"10.0.0.2:514", "10.0.0.255:514", "239.1.1.1:514"}) {
    std::string text = smallest_with("[[port]]", "[[port]]\naddresses = [\"10.0.0.2/24\"]");
    text.replace(text.find("*:514"), 5, where);
    EXPECT_THAT(problems_of(text), IsEmpty()) << where;
  }
  // A port without addresses takes every packet.
  EXPECT_THAT(problems_of(smallest_with("*:514", "10.9.9.9:514")), IsEmpty());
}

TEST(Config, ACapacityOfThreeSegmentsForEachShardIsEnough) {
  EXPECT_THAT(
      problems_of(smallest_with("[[volume]]", "[[shard]]\n[[volume]]\ncapacity = \"1536MiB\"")),
      IsEmpty());
  EXPECT_THAT(problems_of(smallest_with("path", "capacity = 0\npath")), IsEmpty());
}

TEST(Config, QueuesOfOneInterfaceAreSeveralPorts) {
  EXPECT_THAT(problems_of(smallest_with("\"net_ring0\"",
                                        "\"net_af_xdp0,iface=e\"\n[[port]]\nname = \"b\"\n"
                                        "device = \"net_af_xdp1,iface=e,start_queue=1\"")),
              IsEmpty());
}

TEST(Config, MemoryBoundGrowsWithWhatIsConfigured) {
  const Config small = parse_config(kSmallest, "a").value();
  const Config large = parse_config(smallest_with("path", "memory = \"1GiB\"\npath"), "b").value();
  const std::uint64_t more = memory_bound(large) - memory_bound(small);
  EXPECT_GE(more, 1 * kGiB - 32 * kMiB);
  EXPECT_LE(more, (1 * kGiB - 32 * kMiB) / 100 * 105) << "notes of runs are a small part";
}

}  // namespace
}  // namespace penstock
