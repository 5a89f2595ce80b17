// Whatever a configuration file holds: it is refused with problems that say something, or what it
// gives is a node that can be started.
#include <algorithm>

#include "control/config/config.h"
#include "control/config/doors.h"
#include "dataplane/door/door_map.h"
#include "dataplane/frame/port_addresses.h"
#include "storage/read/subject_filter.h"
#include "tests/fuzz/fuzz_input.h"

using namespace penstock;

namespace {

void check_problems(const std::vector<ConfigProblem>& problems, std::string_view text) {
  CHECK(!problems.empty());
  CHECK(std::ranges::is_sorted(problems, {}, &ConfigProblem::line));
  const auto lines = static_cast<unsigned>(std::ranges::count(text, '\n')) + 1;
  for (const ConfigProblem& problem : problems) {
    CHECK(!problem.what.empty());
    CHECK_LE(problem.line, lines + 1);
    CHECK(to_string(problem).starts_with("fuzz.toml:"));
  }
}

void check_volume(const VolumeConfig& volume) {
  CHECK_EQ(volume.block_bytes % kPageBytes, 0U);
  CHECK_LE(volume.block_bytes, volume.segment_bytes / 4);
  CHECK_LE(volume.block_bytes, volume.memory / 4);
  CHECK(volume.kind == VolumeKind::kNull || !volume.path.empty());
}

// What the daemon relies on without asking again.
void check_accepted(const Config& config) {
  CHECK(!config.ports.empty() && !config.shards.empty() && !config.volumes.empty());
  CHECK(!config.doors.empty() && !config.streams.empty());
  CHECK(!config.dpdk.file_prefix.empty());
  for (const PortConfig& port : config.ports) {
    for (const std::string& address : port.addresses) CHECK(parse_port_address(address));
    for (const unsigned shard : port.shards) CHECK_LT(shard, config.shards.size());
  }
  for (const ShardConfig& shard : config.shards) {
    CHECK(std::ranges::count(config.volumes, shard.volume, &VolumeConfig::name) == 1);
  }
  for (const VolumeConfig& volume : config.volumes) check_volume(volume);
  for (const DoorConfig& door : config.doors) {
    CHECK(subject_of(door));
    for (const std::string& address : door.listen) CHECK(parse_listen_address(address));
  }
  for (const StreamConfig& stream : config.streams) {
    for (const std::string& subject : stream.subjects) CHECK(SubjectFilter::parse(subject));
  }
  CHECK_LE(packet_memory(config), config.dpdk.memory);
  CHECK_GE(memory_bound(config), config.dpdk.memory);
  CHECK(config.node.memory_limit == 0 || memory_bound(config) <= config.node.memory_limit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(fuzz::FuzzInput(data, size).rest());
  const auto config = parse_config(text, "fuzz.toml");
  if (config) {
    check_accepted(*config);
  } else {
    check_problems(config.error(), text);
  }
  return 0;
}
