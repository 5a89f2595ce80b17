// A node as its TOML file declares it. docs/penstock.toml documents every key in place; the
// defaults here are the ones written there.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace penstock {

struct NodeConfig {
  std::string name = "penstock";
  std::string runtime_dir = "/run/penstock";  // ledger file; must be writable
  std::uint64_t memory_limit = 0;             // refuse a configuration that takes more; 0: no limit

  bool operator==(const NodeConfig&) const = default;
};

enum class Hugepages : std::uint8_t { kAuto, kRequire, kNever };

struct DpdkConfig {
  Hugepages hugepages = Hugepages::kAuto;  // auto: plain pages with a warning when there are none
  std::uint64_t memory = 256 * kMiB;       // for packet buffers and DPDK's tables
  int main_core = -1;                      // of the control thread; -1: any
  std::string file_prefix;                 // empty: the node's name
  std::vector<std::string> extra_args;

  bool operator==(const DpdkConfig&) const = default;
};

struct PortConfig {
  std::string name;
  std::string device;                  // PCI address or DPDK device string
  std::vector<std::string> addresses;  // "10.0.0.2/24", "fd00::2/64"
  std::vector<unsigned> shards;        // indices of [[shard]], a queue each; empty: all
  std::uint32_t mtu = 1500;
  std::uint32_t receive_descriptors = 1024;
  std::uint32_t transmit_descriptors = 512;
  std::uint32_t buffers = 8192;    // packet buffers of each queue
  std::uint32_t buffer_bytes = 0;  // of each; 0: as the MTU wants it
  bool promiscuous = false;
  bool verify_checksums = true;       // in software where the device does not
  std::uint32_t answer_limit = 1000;  // a second and queue: ARP and neighbour answers; and echoes
  std::uint32_t fragments = 1024;     // datagrams being put together at once, a queue; 0: none
  std::int64_t fragment_timeout_ns = 1 * kNanosPerSecond;

  bool operator==(const PortConfig&) const = default;
};

enum class PollMode : std::uint8_t { kAuto, kBusy, kAdaptive };  // auto: busy on an isolated core

struct ShardConfig {
  int core = -1;  // -1: chosen, never one that takes a drive's interrupts
  std::string volume;
  PollMode poll = PollMode::kAuto;
  std::int64_t coalesce_ns = 20'000;

  bool operator==(const ShardConfig&) const = default;
};

enum class VolumeKind : std::uint8_t { kStored, kNull };
enum class DurabilityConfig : std::uint8_t { kSync, kFlush };

struct RetentionConfig {
  std::uint64_t max_bytes = 0;
  std::int64_t max_age_ns = 0;
  std::uint64_t min_free = 0;

  bool operator==(const RetentionConfig&) const = default;
};

struct VolumeConfig {
  std::string name;
  VolumeKind kind = VolumeKind::kStored;
  std::string path;  // directory or block device
  std::uint64_t segment_bytes = 256 * kMiB;
  std::uint64_t capacity = 0;  // 0: as much as there is
  std::uint32_t ready_segments = 2;
  DurabilityConfig durability = DurabilityConfig::kSync;
  std::uint32_t block_bytes = 256 * 1024;
  std::uint64_t memory = 32 * kMiB;  // of blocks, for each shard that writes here
  std::uint32_t queue_depth = 8;
  std::int64_t linger_ns = 2'000'000;
  bool kernel_polling = false;
  RetentionConfig retention;

  bool operator==(const VolumeConfig&) const = default;
};

enum class DoorKind : std::uint8_t { kSyslog, kLine, kPdp };
enum class LineFraming : std::uint8_t { kLine, kDatagram };

// Of the one door of kind "pdp"; numbers are of each shard.
struct PdpConfig {
  std::uint32_t sessions = 4096;
  std::uint32_t remembered = 16'384;
  std::uint64_t hold = 8 * kMiB;
  std::uint32_t credit = 4 * kMiB;
  std::int64_t idle_ns = 60 * kNanosPerSecond;
  std::string keys;                        // file
  std::vector<std::string> keys_required;  // address ranges
  std::string successor;                   // "host:port"

  bool operator==(const PdpConfig&) const = default;
};

struct DoorConfig {
  std::string name;
  DoorKind kind = DoorKind::kSyslog;
  std::vector<std::string> listen;           // "10.0.0.2:514", "[fd00::2]:514", "*:514"
  std::string subject;                       // template; empty: the kind's default
  LineFraming framing = LineFraming::kLine;  // kind "line" only
  PdpConfig pdp;                             // kind "pdp" only

  bool operator==(const DoorConfig&) const = default;
};

struct StreamConfig {
  std::string name;
  std::vector<std::string> subjects;  // NATS filters

  bool operator==(const StreamConfig&) const = default;
};

// Something wrong with a configuration file, ready to print: "FILE:LINE: KEY: what; remedy".
struct ConfigProblem {
  std::string file;
  unsigned line = 0;
  std::string key;   // full path: "port[0].device"
  std::string what;  // with the remedy, and for an unknown key the nearest known one
};
[[nodiscard]] std::string to_string(const ConfigProblem& problem);

struct Config {
  NodeConfig node;
  DpdkConfig dpdk;
  std::vector<PortConfig> ports;
  std::vector<ShardConfig> shards;
  std::vector<VolumeConfig> volumes;
  std::vector<DoorConfig> doors;
  std::vector<StreamConfig> streams;
  std::vector<ConfigProblem> warnings;  // of named files: works, and should not be so
};

// Whether the files that a configuration names are looked at too. What they say is for the host and
// the user that run the node.
enum class NamedFiles : std::uint8_t { kLeft, kChecked };

// Reads and checks the whole file, and reports every problem, not just the first.
[[nodiscard]] std::expected<Config, std::vector<ConfigProblem>> load_config(
    const std::string& path, NamedFiles files = NamedFiles::kLeft);
[[nodiscard]] std::expected<Config, std::vector<ConfigProblem>> parse_config(
    std::string_view text, const std::string& file, NamedFiles files = NamedFiles::kLeft);

// How many streams a node that starts with this configuration can have until its next start.
[[nodiscard]] std::size_t stream_room(const Config& config);

// The sections in which they differ, as they are written: "[node]", "[[port]]"; without streams.
[[nodiscard]] std::vector<std::string> differing_sections(const Config& one, const Config& other);

// The memory that a node with this configuration takes at most, in bytes.
[[nodiscard]] std::uint64_t memory_bound(const Config& config);
// The part of it that dpdk.memory has to hold. Of a configuration that was checked.
[[nodiscard]] std::uint64_t packet_memory(const Config& config);

// Every key there is, for `penstock config explain` and the documents.
struct ConfigKey {
  std::string_view path;           // "port.device"
  std::string_view type;           // "string", "size", "duration", ...
  std::string_view default_value;  // as written in TOML; empty: required
  std::string_view help;
};
[[nodiscard]] std::span<const ConfigKey> config_keys();

}  // namespace penstock
