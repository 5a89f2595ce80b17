#include "control/daemon/volumes.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/rng.h"
#include "control/config/doors.h"
#include "control/config/value.h"
#include "storage/log/log_writer.h"
#include "storage/recover/producer_shards.h"
#include "storage/recover/torn_tail.h"
#include "storage/volume/device_null.h"
#include "storage/volume/file.h"

namespace penstock {
namespace {

VolumeId random_volume_id() {
  Rng rng = Rng::from_kernel();
  VolumeId id;
  const std::uint64_t words[2] = {rng.next(), rng.next()};
  std::memcpy(id.data(), words, sizeof words);
  return id;
}

// Makes the directory of a volume that is not there yet, durably.
Result<> make_directory(const std::filesystem::path& path) {
  if (path.native().starts_with("/dev/")) {
    return fail(Errc::kNotFound, fmt::format("there is no device {}", path.native()));
  }
  std::error_code error;
  auto there = path;
  while (!std::filesystem::exists(there, error) && there.has_relative_path()) {
    there = there.parent_path();
  }
  std::filesystem::create_directories(path, error);
  if (error) {
    return fail_errno(error.value(), "create the volume's directory " + path.native());
  }
  for (auto made = path; made != there; made = made.parent_path()) {
    if (auto synced = sync_directory(made.parent_path()); !synced) return synced;
  }
  return {};
}

Result<std::unique_ptr<VolumeDevice>> open_device(const VolumeConfig& config) {
  if (config.kind == VolumeKind::kNull) return make_null_volume_device();
  struct stat st{};
  if (stat(config.path.c_str(), &st) != 0 && errno == ENOENT) {
    if (auto made = make_directory(config.path); !made) {
      return std::unexpected(std::move(made.error()));
    }
  }
  struct statfs fs{};
  const bool known = statfs(config.path.c_str(), &fs) == 0;
  if (known && fs.f_type == TMPFS_MAGIC && !S_ISBLK(st.st_mode)) {
    spdlog::warn(
        "volume {}: {} lies in memory (tmpfs): nothing of it outlives a restart of the "
        "host",
        config.name, config.path);
  }
  return open_volume_device(config.path, DeviceAccess::kReadWrite);
}

// What lies there is judged before anything is written, be it a lock: a volume of another version,
// and whatever is not a volume, stay untouched.
Result<Volume> open_or_create(const VolumeConfig& config, Clock& clock) {
  auto device = open_device(config);
  if (!device) return std::unexpected(std::move(device.error()));
  auto exists = Volume::exists(**device);
  if (!exists) return std::unexpected(std::move(exists.error()));
  if (auto locked = (*device)->lock(); !locked) return std::unexpected(std::move(locked.error()));
  exists = Volume::exists(**device);  // now for certain: nobody else can make it meanwhile
  if (!exists) return std::unexpected(std::move(exists.error()));
  if (*exists) return Volume::open(std::move(*device));
  spdlog::info("volume {}: blank, making a new volume at {}", config.name, config.path);
  return Volume::create(std::move(*device), {.segment_bytes = config.segment_bytes},
                        random_volume_id(), clock.unix_now());
}

// The configuration was checked against its own segment_bytes, not against the volume's.
Result<> check_sizes(const VolumeConfig& config, std::uint64_t segment_bytes,
                     std::size_t remembered) {
  if (std::uint64_t{config.block_bytes} * 4 > segment_bytes) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("block_bytes = {} is more than a quarter of the volume's segments of {} "
                    "bytes: lower block_bytes, or make a new volume",
                    config.block_bytes, segment_bytes));
  }
  if (remembered > producers_max(segment_bytes)) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("pdp.remembered = {} is more than the volume's segments of {} bytes can "
                    "name, which is {}: lower pdp.remembered, or make a new volume",
                    remembered, segment_bytes, producers_max(segment_bytes)));
  }
  return {};
}

// What each log needs at least has to fit the volume's capacity and its device.
Result<> check_room(const RunningVolume& running, std::size_t logs) {
  const std::uint64_t bytes = running.volume->superblock().segment_bytes;
  const std::uint64_t least = logs * Keeper::kSlotsMin * bytes;
  const VolumeConfig& config = running.config;
  if (config.capacity != 0 && config.capacity < least) {
    return fail(Errc::kInvalidArgument,
                fmt::format("its capacity of {} is too low: {} shards need {} segments of {} each, "
                            "{} in all",
                            format_size(config.capacity), logs, Keeper::kSlotsMin,
                            format_size(bytes), format_size(least)));
  }
  auto space = running.volume->device().space();
  if (!space) return std::unexpected(std::move(space.error()));
  if (space->total_bytes < least) {
    return fail(Errc::kNoSpace,
                fmt::format("{} has {} MiB: {} shards need {} segments of {} each, {} in all",
                            config.path, space->total_bytes / kMiB, logs, Keeper::kSlotsMin,
                            format_size(bytes), format_size(least)));
  }
  return {};
}

void report(const VolumeConfig& config, const RecoveredVolume& recovered) {
  for (const Finding& finding : recovered.findings) {
    const auto level = is_damage(finding) ? spdlog::level::err : spdlog::level::info;
    spdlog::log(level, "volume {}: {}: {} (slot {}, offset {}, {} bytes)", config.name,
                to_string(finding.kind), finding.what, finding.slot.value, finding.offset,
                finding.bytes);
  }
  for (const auto& [number, log] : recovered.logs) {
    spdlog::info("volume {}: log {}: {} segments, next block {}", config.name, number.value,
                 log.segments.size(), log.start.next_sequence.value);
  }
}

Result<RunningVolume> start_volume(const VolumeConfig& config, const std::vector<LogNumber>& logs,
                                   const std::vector<std::string>& streams, std::size_t remembered,
                                   Clock& clock) {
  RunningVolume running;
  running.config = config;
  auto volume = open_or_create(config, clock);
  if (!volume) return std::unexpected(std::move(volume.error()));
  running.volume = std::make_unique<Volume>(std::move(*volume));
  const std::uint64_t segment_bytes = running.volume->superblock().segment_bytes;
  if (segment_bytes != config.segment_bytes) {
    spdlog::warn("volume {}: was made with segment_bytes = {}; the configured {} has no effect",
                 config.name, segment_bytes, config.segment_bytes);
    running.config.segment_bytes = segment_bytes;
  }
  if (auto fits = check_sizes(config, segment_bytes, remembered); !fits) {
    return std::unexpected(std::move(fits.error()));
  }
  if (auto room = check_room(running, logs.size()); !room) {
    return std::unexpected(std::move(room.error()));
  }
  // What is refused is not written to.
  auto recovered = recover_volume(*running.volume);
  if (!recovered) return std::unexpected(std::move(recovered.error()));
  if (auto named = running.volume->add_streams(streams); !named) {
    return std::unexpected(std::move(named.error()));
  }
  running.recovered = std::move(*recovered);
  report(config, running.recovered);
  clear_torn_tails(*running.volume, running.recovered);

  const KeeperOptions options{
      .capacity_bytes = config.capacity,
      .ready_slots = config.ready_segments,
      .retention = {.max_bytes = config.retention.max_bytes,
                    .max_age_ns = config.retention.max_age_ns,
                    .min_free_bytes = config.retention.min_free},
  };
  running.keeper = std::make_unique<Keeper>(*running.volume, options, clock);
  for (const SlotIndex slot : running.recovered.free_slots) running.keeper->add_free_slot(slot);
  for (const SlotIndex slot : running.recovered.void_slots) running.keeper->add_void_slot(slot);
  for (const SlotIndex slot : running.recovered.quarantined_slots) {
    running.keeper->add_quarantined_slot(slot);
  }
  for (const LogNumber log : logs) {
    running.channels[log] = std::make_unique<SegmentChannel>();
    static_cast<void>(find_or_begin(running.recovered, log));  // a new one has nothing to recover
  }
  // Also logs that no shard writes any more: retention looks after them.
  for (auto& [log, kept] : running.recovered.logs) {
    const auto channel = running.channels.find(log);
    running.keeper->add_log(log,
                            channel == running.channels.end() ? nullptr : channel->second.get(),
                            std::move(kept.segments));
  }
  return running;
}

// A producer's session belongs to a shard by its number, whichever log knows it.
void assign_sessions(std::vector<RunningVolume>& volumes, unsigned shards) {
  std::vector<LogProducers> known;
  for (const RunningVolume& volume : volumes) {
    for (const auto& [number, log] : volume.recovered.logs) {
      std::optional<unsigned> shard;
      if (volume.channels.contains(number)) shard = number.value;
      known.push_back({shard, log.start.producers});
    }
  }
  auto assigned = assign_producers(known, shards);
  for (RunningVolume& volume : volumes) {
    for (const auto& [number, channel] : volume.channels) {
      volume.recovered.logs.at(number).start.producers = std::move(assigned[number.value]);
    }
  }
}

}  // namespace

Result<std::vector<RunningVolume>> open_volumes(const Config& config,
                                                const std::vector<std::vector<LogNumber>>& logs,
                                                Clock& clock) {
  std::vector<std::string> streams;
  for (const StreamConfig& stream : config.streams) streams.push_back(stream.name);
  std::vector<RunningVolume> volumes;
  for (std::size_t v = 0; v < config.volumes.size(); ++v) {
    auto running =
        start_volume(config.volumes[v], logs[v], streams, remembered_sessions(config.doors), clock);
    if (!running) {
      return fail(running.error().code,
                  fmt::format("volume {}: {}", config.volumes[v].name, running.error().what));
    }
    volumes.push_back(std::move(*running));
  }
  assign_sessions(volumes, static_cast<unsigned>(config.shards.size()));
  return volumes;
}

}  // namespace penstock
