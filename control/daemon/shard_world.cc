#include "control/daemon/shard_world.h"

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "control/config/doors.h"
#include "storage/ring/io_ring_linux.h"

namespace penstock {
namespace {

Result<std::unique_ptr<IoRing>> make_ring(const VolumeConfig& volume) {
  if (volume.kind == VolumeKind::kNull) return make_io_ring_null();
  return make_io_ring_linux({.entries = 2 * volume.queue_depth + 8,
                             .files = 16,
                             .kernel_polling = volume.kernel_polling});
}

pdp::Secrets::Seed secret_seed() {
  pdp::Secrets::Seed seed;
  fill_from_kernel(seed);
  return seed;
}

pdp::NodeOptions pdp_options(const ShardPlan& plan, std::size_t number) {
  const PdpConfig& config = plan.doors[number].pdp;
  pdp::NodeOptions options{.shard = static_cast<std::uint16_t>(plan.number),
                           .shards = plan.pdp.shards,
                           .boot = plan.pdp.boot,
                           .cookie_secret = plan.pdp.cookie_secret,
                           .origin = number,
                           .sessions = config.sessions,
                           .hold_bytes = config.hold,
                           .credit_bytes = config.credit,
                           .idle_ns = config.idle_ns,
                           .successor = config.successor,
                           .keys = plan.pdp.keys.get(),
                           .ports = plan.pdp.ports};
  // The configuration was checked: they parse.
  for (const std::string& text : config.keys_required) {
    options.key_networks.push_back(parse_network(text).value());
  }
  return options;
}

LogOptions log_options(const ShardPlan& plan) {
  const bool sync = plan.volume.durability == DurabilityConfig::kSync;
  return {.volume = plan.volume_id,
          .log = LogNumber(plan.number),
          .segment_bytes = plan.volume.segment_bytes,
          .block_bytes = plan.volume.block_bytes,
          .queue_depth = plan.volume.queue_depth,
          .linger_ns = plan.volume.linger_ns,
          .durability = sync ? Durability::kSync : Durability::kFlush,
          .producers = remembered_sessions(plan.doors),
          .drive_reads = plan.volume.kind != VolumeKind::kNull};
}

}  // namespace

Result<std::unique_ptr<ShardWorld>> ShardWorld::make(ShardPlan& plan, Clock& clock) {
  auto memory = BlockMemory::take(plan.volume.memory, plan.hugepages);
  if (!memory) return std::unexpected(std::move(memory.error()));
  if (plan.hugepages && !memory->hugepages()) {
    spdlog::warn("shard {}: too few hugepages for its {} MiB of blocks; using plain pages",
                 plan.number, plan.volume.memory / kMiB);
  }
  auto ring = make_ring(plan.volume);
  if (!ring) return std::unexpected(std::move(ring.error()));
  std::unique_ptr<ShardWorld> world(
      new ShardWorld(plan, clock, std::move(*memory), std::move(*ring)));
  if (auto opened = world->open_doors(plan); !opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return world;
}

ShardWorld::ShardWorld(ShardPlan& plan, Clock& clock, BlockMemory memory,
                       std::unique_ptr<IoRing> ring)
    : accounts_{plan.queues.size(), plan.doors.size()},
      area_(*plan.area),
      memory_(std::move(memory)),
      pool_(memory_.bytes(), plan.volume.block_bytes),
      ring_(std::move(ring)),
      rng_(Rng::from_kernel()),
      intake_(area_.account<MessageAccount>(accounts_.shard()), door_accounts(),
              *plan.stream_books),
      log_(log_options(plan), plan.start, pool_, *ring_, *plan.channel, clock, rng_, intake_),
      router_(*plan.routing, [this](auto streams) { return add_set(streams); }) {
  intake_.set_log(log_);
}

Result<> ShardWorld::open_doors(const ShardPlan& plan) {
  if (auto known = ring_->register_memory(pool_.memory()); !known) return known;
  for (std::size_t i = 0; i < plan.doors.size(); ++i) {
    auto subject = subject_of(plan.doors[i]);
    if (!subject) return std::unexpected(std::move(subject.error()));
    std::vector<ListenAddress> where;
    for (const std::string& text : plan.doors[i].listen) {
      auto parsed = parse_listen_address(text);
      if (!parsed) return std::unexpected(std::move(parsed.error()));
      where.push_back(*parsed);
    }
    DoorOptions options{.number = i,
                        .name = plan.doors[i].name,
                        .protocol = protocol_of(plan.doors[i]),
                        .port = where.size() == 1 ? where[0].port : std::uint16_t{0},
                        .subject = std::move(*subject)};
    doors_.push_back(std::make_unique<Door>(std::move(options), router_,
                                            area_.account<MessageAccount>(accounts_.door(i))));
    for (const ListenAddress& address : where) {
      if (auto added = map_.add(address, *doors_.back()); !added) return added;
    }
    if (plan.doors[i].kind == DoorKind::kPdp) open_pdp(plan, i);
  }
  return {};
}

void ShardWorld::open_pdp(const ShardPlan& plan, std::size_t door) {
  std::vector<PortOutbox::Side> sides;
  for (const unsigned shard : plan.pdp.port_shards) sides.push_back({.shard = shard});
  for (std::size_t i = 0; i < plan.queues.size(); ++i) {
    PortOutbox::Side& side = sides[plan.queues[i].port];
    side.queue = plan.queues[i].queue;
    side.account = &area_.account<PortAccount>(accounts_.port(i));
  }
  outbox_ = std::make_unique<PortOutbox>(sides, plan.pdp.handover);
  pdp_ =
      std::make_unique<pdp::PdpNode>(pdp_options(plan, door), secret_seed(), intake_, router_, log_,
                                     *outbox_, area_.account<FrameAccount>(accounts_.frames()));
  intake_.set_observer(*pdp_);
}

ShardParts ShardWorld::parts(const ShardPlan& plan, Clock& clock) {
  ShardParts parts{.number = plan.number,
                   .coalesce_ns = plan.coalesce_ns,
                   .clock = &clock,
                   .log = &log_,
                   .pool = &pool_,
                   .intake = &intake_,
                   .doors = &map_,
                   .pdp = pdp_.get(),
                   .outbox = outbox_.get(),
                   .handover = plan.pdp.handover,
                   .router = &router_,
                   .mailbox = plan.mailbox,
                   .area = &area_,
                   .gauges = &gauges(),
                   .edge = &area_.account<LogEdge>(accounts_.edge())};
  for (std::size_t i = 0; i < plan.queues.size(); ++i) {
    parts.ports.push_back({.number = plan.queues[i].port,
                           .queue = plan.queues[i].queue,
                           .frame = plan.queues[i].frame,
                           .account = &area_.account<PortAccount>(accounts_.port(i))});
  }
  return parts;
}

std::vector<MessageAccount*> ShardWorld::door_accounts() {
  std::vector<MessageAccount*> all;
  for (std::size_t i = 0; i < accounts_.doors; ++i) {
    all.push_back(&area_.account<MessageAccount>(accounts_.door(i)));
  }
  return all;
}

std::optional<CaptureSetId> ShardWorld::add_set(std::span<const std::uint32_t> streams) {
  std::array<StreamId, kCapturesMax> ids;
  const Routing& routing = router_.routing();
  for (std::size_t i = 0; i < streams.size(); ++i) ids[i] = routing.id(streams[i]);
  CaptureTable& captures = log_.captures();
  const auto set = captures.add_set(std::span(ids).first(streams.size()));
  if (!set) return set;
  const auto partitions = captures.partitions_of(*set);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    intake_.keep_books(partitions[i], routing.streams()[streams[i]].place);
  }
  return set;
}

}  // namespace penstock
