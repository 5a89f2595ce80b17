#include "control/daemon/node.h"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/rng.h"
#include "control/config/node_files.h"
#include "control/config/ports.h"
#include "control/config/value.h"
#include "control/daemon/ports.h"
#include "dataplane/door/door_map.h"
#include "dataplane/port/memif_socket.h"

namespace penstock {
namespace {

constexpr std::int64_t kPublishEveryNs = 100'000'000;
constexpr long kPauseNs = 2'000'000;
constexpr long kPauseMostNs = 16'000'000;

void pause(long nanos = kPauseNs) {
  const timespec time{.tv_sec = 0, .tv_nsec = nanos};
  nanosleep(&time, nullptr);
}

HugepageUse use_of(Hugepages hugepages) {
  switch (hugepages) {
    case Hugepages::kAuto: return HugepageUse::kAuto;
    case Hugepages::kRequire: return HugepageUse::kRequire;
    case Hugepages::kNever: return HugepageUse::kNever;
  }
  return HugepageUse::kAuto;
}

bool stopping(const volatile std::sig_atomic_t& stop) { return stop != 0; }

}  // namespace

Node::~Node() {
  for (const auto& shard : shards_) shard->stop();  // all, since they end together
  shards_.clear();
  handover_.reset();  // it may hold packets of the ports' pools
  for (const auto& port : ports_) port->stop();
  ports_.clear();
}

Result<> Node::start(const volatile std::sig_atomic_t& stop) {
  std::vector<std::string> paths;
  if (auto taken = take_runtime_dir(); !taken) return taken;
  if (auto opened = open_all_volumes(); !opened) return opened;
  for (const VolumeConfig& volume : config_.volumes) {
    if (volume.kind == VolumeKind::kStored) paths.push_back(volume.path);
  }
  std::vector<int> wanted;
  for (const ShardConfig& shard : config_.shards) wanted.push_back(shard.core);
  auto placement = place_shards(wanted, config_.dpdk.main_core, host_cores(paths));
  if (!placement) return std::unexpected(std::move(placement.error()));
  for (const std::string& warning : placement->warnings) spdlog::warn("{}", warning);
  if (auto started = start_dpdk(*placement); !started) return started;
  if (auto started = start_ports(); !started) return started;
  if (auto created = create_ledger(); !created) return created;
  if (auto prepared = prepare_pdp(); !prepared) return prepared;
  prepare_first_segments(stop);
  if (auto started = start_shards(*placement); !started) return started;
  publish_gauges();
  return {};
}

Result<> Node::open_all_volumes() {
  std::vector<std::vector<LogNumber>> logs(config_.volumes.size());
  for (unsigned shard = 0; shard < config_.shards.size(); ++shard) {
    const auto at =
        std::ranges::find(config_.volumes, config_.shards[shard].volume, &VolumeConfig::name);
    logs[static_cast<std::size_t>(at - config_.volumes.begin())].emplace_back(shard);
  }
  auto volumes = open_volumes(config_, logs, clock_);
  if (!volumes) return std::unexpected(std::move(volumes.error()));
  volumes_ = std::move(*volumes);
  reported_.resize(volumes_.size());
  return {};
}

Result<> Node::start_dpdk(const Placement& placement) {
  EalOptions options{.file_prefix = config_.dpdk.file_prefix,
                     .hugepages = use_of(config_.dpdk.hugepages),
                     .memory_bytes = config_.dpdk.memory,
                     .main_core = config_.dpdk.main_core,
                     .shard_cores = placement.cores,
                     .extra_args = config_.dpdk.extra_args};
  for (const PortConfig& port : config_.ports) {
    auto device = device_of(port, config_);
    if (!device) return std::unexpected(std::move(device.error()));
    if (auto freed = free_memif_socket(device->device); !freed) {
      return fail(freed.error().code, fmt::format("port {}: {}", port.name, freed.error().what));
    }
    options.devices.push_back(std::move(device->device));
  }
  auto started = start_eal(options);
  if (!started) return std::unexpected(std::move(started.error()));
  eal_ = *started;
  if (!eal_.hugepages && config_.dpdk.hugepages == Hugepages::kAuto) {
    spdlog::warn(
        "not enough hugepages for dpdk.memory = {}: using plain pages, which costs speed; "
        "reserve some with 'sysctl vm.nr_hugepages=N'",
        format_size(config_.dpdk.memory));
  }
  return {};
}

Result<> Node::start_ports() {
  for (const PortConfig& port : config_.ports) {
    auto started = start_port(config_, port);
    if (!started) return std::unexpected(std::move(started.error()));
    ports_.push_back(std::move(*started));
  }
  return {};
}

// Before anything else: a second node with this configuration disturbs nothing of the first.
Result<> Node::take_runtime_dir() {
  const std::string& folder = config_.node.runtime_dir;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), fmt::format("create node.runtime_dir {}", folder));
  auto lock = FileLock::take(lock_path(config_.node));
  if (!lock && lock.error().code == Errc::kBusy) {
    return fail(Errc::kBusy, fmt::format("node.runtime_dir {} is that of a running node; end that "
                                         "one, or give this one a directory of its own",
                                         folder));
  }
  if (!lock) return std::unexpected(std::move(lock.error()));
  lock_ = std::move(*lock);
  return {};
}

Result<> Node::create_ledger() {
  std::vector<std::vector<AccountSpec>> areas(1 + config_.shards.size());
  for (const PortConfig& port : config_.ports) {
    areas[kControlArea].push_back({AccountKind::kDevice, kNoShard, port.name});
  }
  for (const VolumeConfig& volume : config_.volumes) {
    areas[kControlArea].push_back({AccountKind::kVolume, kNoShard, volume.name});
  }
  for (unsigned shard = 0; shard < config_.shards.size(); ++shard) {
    auto& area = areas[1 + shard];
    const auto number = static_cast<std::uint16_t>(shard);
    for (const std::size_t port : ports_of(shard)) {
      area.push_back({AccountKind::kPort, number, config_.ports[port].name});
    }
    for (const DoorConfig& door : config_.doors) {
      area.push_back({AccountKind::kDoor, number, door.name});
    }
    const std::string name = fmt::format("{}", shard);
    area.push_back({AccountKind::kShard, number, name});
    area.push_back({AccountKind::kShardGauges, number, name});
    area.push_back({AccountKind::kLogEdge, number, config_.shards[shard].volume});
    for (const DoorConfig& door : config_.doors) {
      if (door.kind == DoorKind::kPdp) area.push_back({AccountKind::kFrames, number, door.name});
    }
  }
  streams_ = std::make_unique<LiveStreams>(config_.streams, stream_room(config_));
  auto created = LedgerFile::create(ledger_path(config_.node), config_.node.name, areas,
                                    streams_->places(), clock_.unix_now());
  if (!created) return std::unexpected(std::move(created.error()));
  ledger_ = std::move(*created);
  return {};
}

Result<> Node::prepare_pdp() {
  const auto door = std::ranges::find(config_.doors, DoorKind::kPdp, &DoorConfig::kind);
  if (door == config_.doors.end()) return {};
  pdp_.shards = static_cast<std::uint16_t>(config_.shards.size());
  pdp_.boot = Rng::from_kernel().next();
  pdp_.cookie_secret = pdp::cookie_secret_from_kernel();
  for (std::size_t i = 0; i < config_.ports.size(); ++i) {
    pdp_.ports.push_back(
        {.ethernet = ports_[i]->facts().ethernet_address, .mtu = config_.ports[i].mtu});
    pdp_.port_shards.push_back(shards_of(config_.ports[i], config_).front());
  }
  if (config_.shards.size() > 1) {
    auto handover = Handover::make("handover", static_cast<unsigned>(config_.shards.size()));
    if (!handover) return std::unexpected(std::move(handover.error()));
    handover_ = std::move(*handover);
    pdp_.handover = handover_.get();
  }
  if (door->pdp.keys.empty()) return {};
  auto file = pdp::read_key_file(door->pdp.keys);
  if (!file) return std::unexpected(std::move(file.error()));
  pdp_.keys = std::make_shared<const pdp::KeyRing>(std::move(file->keys));
  return {};
}

// One ready segment for each log, so that the first messages do not wait for it. Without room for
// them the node starts all the same, and says so.
void Node::prepare_first_segments(const volatile std::sig_atomic_t& stop) {
  for (RunningVolume& volume : volumes_) {
    while (!stopping(stop) && !volume.keeper->all_have_slots() && volume.keeper->step()) {
    }
  }
}

Result<> Node::start_shards(const Placement& placement) {
  for (unsigned shard = 0; shard < config_.shards.size(); ++shard) {
    auto plan = plan_of(shard, placement);
    if (!plan) return std::unexpected(std::move(plan.error()));
    spdlog::info("shard {}: core {}, {} polling, volume {}", shard, placement.cores[shard],
                 plan->busy ? "busy" : "adaptive", plan->volume.name);
    shards_.push_back(std::make_unique<ShardThread>(std::move(*plan)));
    if (auto started = shards_.back()->start(); !started) return started;
  }
  return {};
}

Result<ShardPlan> Node::plan_of(unsigned shard, const Placement& placement) {
  RunningVolume& volume = volume_of(shard);
  const ShardConfig& config = config_.shards[shard];
  const LogNumber log(shard);
  ShardPlan plan{.number = shard,
                 .lcore = eal_.shard_lcores[shard],
                 .busy = config.poll == PollMode::kBusy ||
                         (config.poll == PollMode::kAuto && placement.isolated[shard]),
                 .coalesce_ns = config.coalesce_ns,
                 .hugepages = eal_.hugepages,
                 .volume = volume.config,
                 .volume_id = volume.volume->superblock().volume,
                 .start = std::move(volume.recovered.logs[log].start),
                 .channel = volume.channels[log].get(),
                 .doors = config_.doors,
                 .routing = &streams_->newest(),
                 .mailbox = &streams_->join(),
                 .area = &ledger_->area(1 + shard),
                 .stream_books = &ledger_->streams(shard),
                 .pdp = pdp_};
  if (plan.start.open) {
    const SlotIndex slot(plan.start.open->header.slot);
    auto file = volume.volume->device().open_slot(slot);
    if (!file) return std::unexpected(std::move(file.error()));
    plan.start.open->file = *file;
  }
  for (const std::size_t port : ports_of(shard)) {
    auto frame = frame_of(port);
    if (!frame) return std::unexpected(std::move(frame.error()));
    const auto polled_by = shards_of(config_.ports[port], config_);
    const auto queue = std::ranges::find(polled_by, shard) - polled_by.begin();
    plan.queues.push_back({.port = static_cast<std::uint16_t>(port),
                           .queue = &ports_[port]->queue(static_cast<unsigned>(queue)),
                           .frame = std::move(*frame)});
  }
  return plan;
}

Result<FrameOptions> Node::frame_of(std::size_t port) const {
  const PortConfig& config = config_.ports[port];
  FrameOptions frame{
      .ethernet_address = ports_[port]->facts().ethernet_address,
      .any_address = config.addresses.empty(),
      .verify_checksums = config.verify_checksums,
      .fragments = {.datagrams = config.fragments,
                    .packets = std::min(2 * config.fragments, config.buffers / 4),
                    .timeout_ns = config.fragment_timeout_ns,
                    .hash_seed = Rng::from_kernel().next()},
      .answers = {.answers_per_second = config.answer_limit}
  };
  for (const std::string& text : config.addresses) {
    auto address = parse_port_address(text);
    if (!address) return std::unexpected(std::move(address.error()));
    frame.addresses.push_back(*address);
  }
  for (const DoorConfig& door : config_.doors) {
    for (const std::string& text : door.listen) {
      const auto where = parse_listen_address(text);
      if (where && where->address && where->address->is_multicast()) {
        frame.groups.push_back(*where->address);
      }
    }
  }
  return frame;
}

std::vector<std::size_t> Node::ports_of(unsigned shard) const {
  std::vector<std::size_t> ports;
  for (std::size_t i = 0; i < config_.ports.size(); ++i) {
    const auto polled_by = shards_of(config_.ports[i], config_);
    if (std::ranges::find(polled_by, shard) != polled_by.end()) ports.push_back(i);
  }
  return ports;
}

RunningVolume& Node::volume_of(unsigned shard) {
  const auto at =
      std::ranges::find(config_.volumes, config_.shards[shard].volume, &VolumeConfig::name);
  return volumes_[static_cast<std::size_t>(at - config_.volumes.begin())];
}

// Looks less often the longer there was nothing to do: it may share a core with others.
void Node::run(const volatile std::sig_atomic_t& stop, const volatile std::sig_atomic_t& reload) {
  long pause_ns = kPauseNs;
  while (!stopping(stop) && !stopping(reload)) {
    const bool worked = step_keepers();
    if (streams_->step()) spdlog::info("all shards route by the new streams");
    report_volumes();
    publish_gauges();
    if (!worked) pause(pause_ns);
    pause_ns = worked ? kPauseNs : std::min(2 * pause_ns, kPauseMostNs);
  }
}

Result<std::vector<std::string>> Node::apply(const Config& wanted) {
  if (wanted.streams != config_.streams) {
    if (auto room = streams_->check_room(wanted.streams); !room) {
      return std::unexpected(std::move(room.error()));
    }
    if (auto named = name_streams(wanted.streams); !named) {
      return std::unexpected(std::move(named.error()));
    }
    streams_->change(wanted.streams, *ledger_);
    config_.streams = wanted.streams;
  }
  return differing_sections(config_, wanted);
}

// A volume knows a stream's name before messages of it come.
Result<> Node::name_streams(std::span<const StreamConfig> streams) {
  std::vector<std::string> names;
  for (const StreamConfig& stream : streams) names.push_back(stream.name);
  for (RunningVolume& volume : volumes_) {
    if (auto named = volume.volume->add_streams(names); !named) {
      return fail(named.error().code,
                  fmt::format("volume {}: {}", volume.config.name, named.error().what));
    }
  }
  return {};
}

bool Node::drain() {
  for (const auto& shard : shards_) shard->stop();
  // What is in memory may still need a segment, but none ahead of need.
  for (RunningVolume& volume : volumes_) volume.keeper->set_ready_slots(1);
  const auto ended = [](const auto& shard) { return shard->ended(); };
  while (!std::ranges::all_of(shards_, ended)) {
    if (!step_keepers()) pause();
  }
  for (RunningVolume& volume : volumes_) volume.keeper->set_ready_slots(0);
  while (step_keepers()) {
  }
  publish_at_ = {};  // what the devices counted last is in the last books
  publish_gauges();
  ledger_->mark_ended();
  return std::ranges::all_of(shards_, [](const auto& shard) { return shard->all_durable(); });
}

bool Node::step_keepers() {
  bool worked = false;
  for (RunningVolume& volume : volumes_) worked |= volume.keeper->step();
  return worked;
}

// Each change is said once.
void Node::report_volumes() {
  for (std::size_t i = 0; i < volumes_.size(); ++i) {
    const KeeperStatus& status = volumes_[i].keeper->status();
    if (status.last_error == reported_[i]) continue;
    reported_[i] = status.last_error;
    if (status.last_error.empty()) {
      spdlog::info("volume {}: is well again", volumes_[i].config.name);
    } else {
      spdlog::error("volume {}: {}", volumes_[i].config.name, status.last_error);
    }
  }
}

void Node::publish_gauges() {
  const MonotonicNanos now = clock_.monotonic_now();
  if (now < publish_at_) return;
  publish_at_ = now + kPublishEveryNs;
  LedgerArea& area = ledger_->area(kControlArea);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    area.account<DeviceGauges>(i) = ports_[i]->device_gauges();
  }
  for (std::size_t i = 0; i < volumes_.size(); ++i) {
    const KeeperStatus& status = volumes_[i].keeper->status();
    area.account<VolumeGauges>(ports_.size() + i) = {
        .full = status.full ? 1U : 0U,
        .slots = status.slots,
        .free_slots = status.free_slots,
        .quarantined_slots = status.quarantined_slots,
        .retired_segments = status.retired_segments,
        .segment_bytes = volumes_[i].volume->superblock().segment_bytes};
  }
  area.publish();
}

}  // namespace penstock
