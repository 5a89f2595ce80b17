#include "control/config/check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/checking.h"
#include "control/config/doors.h"
#include "control/config/value.h"
#include "dataplane/door/door_map.h"
#include "dataplane/door/pdp/wire.h"
#include "dataplane/frame/ip_network.h"
#include "dataplane/frame/port_addresses.h"
#include "dataplane/ledger/stream_books.h"
#include "dataplane/port/eal.h"
#include "storage/format/segment.h"
#include "storage/log/block_pool.h"
#include "storage/log/keeper.h"
#include "storage/log/log_writer.h"
#include "storage/read/subject_filter.h"

namespace penstock {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kNameRule =
    "must have 1 to 64 letters, digits, '-' or '_', and not begin with '-'";
constexpr std::size_t kShardsMax = 64;
constexpr std::uint64_t kBlocksMin = 4;  // one fills, one is checksummed, two are on their way

// Fit for a command line and a file's name.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

template <class T>
void check_names(Check& check, std::string_view section, const std::vector<T>& all) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!is_name(all[i].name)) {
      check.refuse(at(section, i, "name"), std::string(kNameRule));
    } else if (!names.insert(all[i].name).second) {
      check.refuse(at(section, i, "name"), fmt::format("'{}' is taken already", all[i].name));
    }
  }
}

void check_presence(Check& check) {
  const auto need = [&](bool there, std::string_view section) {
    if (!there) {
      check.refuse(std::string(section), fmt::format("a node needs at least one [[{}]]", section));
    }
  };
  need(!check.config.ports.empty(), "port");
  need(!check.config.shards.empty(), "shard");
  need(!check.config.volumes.empty(), "volume");
  need(!check.config.doors.empty(), "door");
  const auto limit = [&](std::size_t count, std::size_t most, std::string_view section) {
    if (count <= most) return;
    // At the first that is too many.
    check.refuse(fmt::format("{}[{}]", section, most),
                 fmt::format("a node has at most {} [[{}]]; leave some out", most, section));
  };
  limit(check.config.ports.size(), kPortsMax, "port");
  limit(check.config.shards.size(), kShardsMax, "shard");
  limit(check.config.doors.size(), kOriginsMax, "door");
  limit(check.config.streams.size(), kStreamPlacesMax, "stream");
}

void check_shard(Check& check, std::size_t i) {
  const ShardConfig& shard = check.config.shards[i];
  // A port that names a shard that is not there may have meant this one.
  const bool polls = std::ranges::any_of(check.config.ports, [&](const PortConfig& port) {
    return port.shards.empty() || std::ranges::max(port.shards) >= check.config.shards.size() ||
           std::ranges::find(port.shards, i) != port.shards.end();
  });
  if (!polls && !check.config.ports.empty()) {
    check.refuse(fmt::format("shard[{}]", i),
                 fmt::format("polls nothing: add {} to the shards of a port, or leave it out", i));
  }
  if (shard.volume.empty()) {
    check.refuse(at("shard", i, "volume"), "there are several volumes: name one");
    return;
  }
  if (std::ranges::find(check.config.volumes, shard.volume, &VolumeConfig::name) ==
      check.config.volumes.end()) {
    check.refuse(at("shard", i, "volume"), fmt::format("there is no volume '{}'", shard.volume));
  }
}

void check_volume(Check& check, std::size_t i) {
  const VolumeConfig& volume = check.config.volumes[i];
  if (volume.kind == VolumeKind::kStored && volume.path.empty()) {
    check.refuse(at("volume", i, "path"), "is missing: a directory or a block device");
  } else if (!volume.path.empty() && !volume.path.starts_with('/')) {
    check.refuse(at("volume", i, "path"), "must be an absolute path: \"/var/lib/penstock/main\"");
  }
  for (std::size_t j = 0; j < i; ++j) {
    if (!volume.path.empty() && check.config.volumes[j].path == volume.path) {
      check.refuse(at("volume", i, "path"),
                   fmt::format("is the path of volume '{}' too", check.config.volumes[j].name));
    }
  }
  const auto whole_pages = [&](std::uint64_t bytes, std::string_view key) {
    if (bytes % kPageBytes != 0) {
      check.refuse(at("volume", i, key), fmt::format("must be a multiple of {}", kPageBytes));
    }
  };
  whole_pages(volume.segment_bytes, "segment_bytes");
  whole_pages(volume.block_bytes, "block_bytes");
  if (std::uint64_t{volume.block_bytes} * 4 > volume.segment_bytes) {
    check.refuse(at("volume", i, "block_bytes"),
                 fmt::format("must be at most a quarter of segment_bytes ({})",
                             format_size(volume.segment_bytes)));
  }
  if (volume.memory < kBlocksMin * volume.block_bytes) {
    check.refuse(at("volume", i, "memory"),
                 fmt::format("must hold at least {} blocks of {}", kBlocksMin,
                             format_size(volume.block_bytes)));
  }
  const auto shards = static_cast<std::uint64_t>(
      std::ranges::count(check.config.shards, volume.name, &ShardConfig::volume));
  const std::uint64_t least =
      std::max<std::uint64_t>(shards, 1) * Keeper::kSlotsMin * volume.segment_bytes;
  if (volume.capacity != 0 && volume.capacity < least) {
    check.refuse(
        at("volume", i, "capacity"),
        fmt::format("must hold {} segments of {} for each of its {} shards: {}", Keeper::kSlotsMin,
                    format_size(volume.segment_bytes), shards, format_size(least)));
  }
}

// What only a door of kind "pdp" has, and what such a door has not.
void check_pdp(Check& check, std::size_t i) {
  const DoorConfig& door = check.config.doors[i];
  if (door.kind != DoorKind::kPdp) {
    const std::string prefix = at("door", i, "pdp.");
    const auto first = check.lines.lower_bound(prefix);
    if (first != check.lines.end() && first->first.starts_with(prefix)) {
      check.refuse(first->first, "is for kind = \"pdp\" only");
    }
    return;
  }
  const auto is_pdp = [](const DoorConfig& other) { return other.kind == DoorKind::kPdp; };
  const auto earlier = check.config.doors.begin() + static_cast<std::ptrdiff_t>(i);
  if (std::any_of(check.config.doors.begin(), earlier, is_pdp)) {
    check.refuse(at("door", i, "kind"),
                 "is that of another door: one door speaks PDP, and can listen on many addresses");
  }
  if (!door.subject.empty()) {
    check.refuse(at("door", i, "subject"), "is not for kind = \"pdp\": producers name subjects");
  }
  for (const std::string& text : door.pdp.keys_required) {
    if (const auto network = parse_network(text); !network) {
      check.refuse(at("door", i, "pdp.keys_required"), network.error().what);
    }
  }
  if (!door.pdp.keys.empty() && !door.pdp.keys.starts_with('/')) {
    check.refuse(at("door", i, "pdp.keys"), "must be an absolute path: \"/etc/penstock/keys\"");
  }
  if (!door.pdp.keys_required.empty() && door.pdp.keys.empty()) {
    check.refuse(at("door", i, "pdp.keys_required"), "demands keys, and pdp.keys names no file");
  }
  for (const VolumeConfig& volume : check.config.volumes) {
    if (door.pdp.remembered > producers_max(volume.segment_bytes)) {
      check.refuse(
          at("door", i, "pdp.remembered"),
          fmt::format("is more than the {} that a segment of volume {} can name; lower it, "
                      "or raise the volume's segment_bytes",
                      producers_max(volume.segment_bytes), volume.name));
    }
  }
  if (door.pdp.remembered < door.pdp.sessions) {
    check.refuse(at("door", i, "pdp.remembered"), "must be at least pdp.sessions");
  }
  if (door.pdp.successor.size() > pdp::kEndpointBytesMax) {
    check.refuse(at("door", i, "pdp.successor"),
                 fmt::format("is longer than {} bytes", pdp::kEndpointBytesMax));
  }
}

void check_door(Check& check, std::size_t i, std::set<std::string>& taken) {
  const DoorConfig& door = check.config.doors[i];
  if (door.listen.empty()) check.refuse(at("door", i, "listen"), "names no address");
  for (const std::string& text : door.listen) {
    const auto where = parse_listen_address(text);
    if (!where) {
      check.refuse(at("door", i, "listen"), where.error().what);
      continue;
    }
    const std::string key =
        fmt::format("{}:{}", where->address ? to_string(*where->address) : "*", where->port);
    if (!taken.insert(key).second) {
      check.refuse(at("door", i, "listen"), fmt::format("a door listens on '{}' already", text));
    }
    check_reachable(check, i, text);
  }
  if (auto subject = subject_of(door); !subject) {
    check.refuse(at("door", i, "subject"), subject.error().what);
  }
  check_pdp(check, i);
  if (door.kind != DoorKind::kLine && check.lines.contains(at("door", i, "framing"))) {
    check.refuse(at("door", i, "framing"), "is for kind = \"line\" only");
  }
}

void check_stream(Check& check, std::size_t i) {
  const StreamConfig& stream = check.config.streams[i];
  if (stream.subjects.empty()) check.refuse(at("stream", i, "subjects"), "names no subject");
  for (const std::string& subject : stream.subjects) {
    if (auto filter = SubjectFilter::parse(subject); !filter) {
      check.refuse(at("stream", i, "subjects"), filter.error().what);
    }
  }
}

void check_memory(Check& check) {
  const std::uint64_t packets = packet_memory(check.config);
  if (packets > check.config.dpdk.memory) {
    check.refuse("dpdk.memory",
                 fmt::format("the ports' buffers take {} MiB: raise dpdk.memory to that, or lower "
                             "port.buffers",
                             packets / kMiB + 1));
  }
  const std::uint64_t limit = check.config.node.memory_limit;
  if (const std::uint64_t bound = memory_bound(check.config); limit != 0 && bound > limit) {
    check.refuse("node.memory_limit",
                 fmt::format("the configuration can take {} MiB: raise the limit, or lower "
                             "volume.memory, dpdk.memory or the number of shards",
                             bound / kMiB + 1));
  }
}

}  // namespace

void Check::refuse(const std::string& key, std::string what) {
  auto line = lines.find(key);
  if (line == lines.end()) line = lines.find(key.substr(0, key.find('.')));
  problems.push_back({"", line == lines.end() ? 1 : line->second, key, std::move(what)});
}

std::string at(std::string_view section, std::size_t i, std::string_view key) {
  return fmt::format("{}[{}].{}", section, i, key);
}

std::vector<ConfigProblem> check_config(const Config& config, const ConfigLines& lines) {
  Check check{config, lines, {}};
  if (!is_name(config.node.name)) check.refuse("node.name", std::string(kNameRule));
  if (!is_name(config.dpdk.file_prefix)) check.refuse("dpdk.file_prefix", std::string(kNameRule));
  if (!config.node.runtime_dir.starts_with('/')) {
    check.refuse("node.runtime_dir", "must be an absolute path: \"/run/penstock\"");
  }
  check_presence(check);
  check_names(check, "port", config.ports);
  check_names(check, "volume", config.volumes);
  check_names(check, "door", config.doors);
  check_names(check, "stream", config.streams);
  for (std::size_t i = 0; i < config.ports.size(); ++i) check_port(check, i);
  for (std::size_t i = 0; i < config.shards.size(); ++i) check_shard(check, i);
  for (std::size_t i = 0; i < config.volumes.size(); ++i) check_volume(check, i);
  std::set<std::string> taken;
  for (std::size_t i = 0; i < config.doors.size(); ++i) check_door(check, i, taken);
  for (std::size_t i = 0; i < config.streams.size(); ++i) check_stream(check, i);
  if (check.problems.empty()) check_memory(check);
  return std::move(check.problems);
}

}  // namespace penstock
