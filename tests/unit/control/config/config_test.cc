#include "control/config/config.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

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

TEST(Config, SyntaxErrorNamesItsLine) {
  EXPECT_THAT(problems_of("[node]\nname = \n"), Contains(HasSubstr("node.toml:2: ")));
}

TEST(Config, MissingFileIsAnErrorThatNamesIt) {
  const auto config = load_config("build/no-such.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(to_string(config.error().at(0)),
              AllOf(HasSubstr("build/no-such.toml"), HasSubstr("No such file")));
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
        Refusal{"path = \"/data\"", "", "a directory or a block device"},
        Refusal{"[[port]]", "[node]\nmemory_limit = \"64MiB\"\n[[port]]", "raise the limit"},
        Refusal{"[[door]]", "[[stream]]\nname = \"s\"\nsubjects = [\"a.>.b\"]\n[[door]]",
                "'>' stands at the end only"},
        Refusal{"\"lan0\"", "\"la n0\"", "letters, digits"},
        Refusal{"[[volume]]", "[[volume]]\nname = \"x\"\npath = \"/x\"\n[[volume]]",
                "there are several volumes: name one"}));

TEST(Config, MemoryBoundGrowsWithWhatIsConfigured) {
  const Config small = parse_config(kSmallest, "a").value();
  const Config large = parse_config(smallest_with("path", "memory = \"1GiB\"\npath"), "b").value();
  EXPECT_EQ(memory_bound(large) - memory_bound(small), 1 * kGiB - 32 * kMiB);
}

}  // namespace
}  // namespace penstock
