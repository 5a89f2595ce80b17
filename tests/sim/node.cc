#include "tests/sim/node.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "dataplane/ledger/balance.h"
#include "storage/recover/torn_tail.h"
#include "tests/lib/make_routing.h"
#include "tests/lib/packet_builder.h"
#include "tests/sim/traffic.h"

namespace penstock::sim {
namespace {

constexpr VolumeId kVolume{std::byte{7}};

struct DoorSpec {
  const char* name;
  DoorProtocol protocol;
  std::uint16_t port;
  std::string_view subject;
};
constexpr std::array kDoors{
    DoorSpec{"syslog", DoorProtocol::kSyslog, kSyslogPort,
             "syslog.{facility}.{severity}.{host}.{app}"                       },
    DoorSpec{"lines",  DoorProtocol::kLine,   kLinePort,       "lines.{source}"},
    DoorSpec{"other",  DoorProtocol::kLine,   kUncapturedPort, "other.{door}"  },
    DoorSpec{"pdp",    DoorProtocol::kPdp,    kPdpPort,        "pdp"           }
};

// Accounts of the shard's area, in this order.
constexpr std::size_t kPortAt = 0;
constexpr std::size_t kDoorAt = 1;
constexpr std::size_t kPdpDoor = kDoors.size() - 1;  // the last one, where there is one

}  // namespace

Node::Node(const NodeGround& ground, const NodeOptions& options, std::unique_ptr<IoRing> ring)
    : ground_(ground),
      options_(options),
      memory_(allocate_pages(options.blocks * options.block_bytes)),
      pool_({memory_.get(), options.blocks * options.block_bytes}, options.block_bytes),
      ring_(std::move(ring)),
      reported_before_(ground.oracle.reported_messages()),
      received_before_(ground.queue.received()),
      queue_(ground) {}

Result<std::unique_ptr<Node>> Node::start(const NodeGround& ground, const NodeOptions& options,
                                          std::unique_ptr<VolumeDevice> device,
                                          std::unique_ptr<IoRing> ring) {
  std::unique_ptr<Node> node(new Node(ground, options, std::move(ring)));
  Result<> done = node->open_volume(std::move(device));
  if (done) done = node->make_ledger();
  if (done) done = node->start_log();
  if (!done) return std::unexpected(std::move(done.error()));
  node->make_doors();
  node->make_shard();
  return node;
}

Result<> Node::open_volume(std::unique_ptr<VolumeDevice> device) {
  auto& oracle = ground_.oracle;
  const PageBuffer page = allocate_pages(kPageBytes);
  if (auto read = device->read_head(0, {page.get(), kPageBytes}); !read) return read;
  const bool blank = load<std::uint64_t>({page.get(), kPageBytes}) == 0;
  auto opened = blank ? Volume::create(std::move(device), {.segment_bytes = options_.segment_bytes},
                                       kVolume, ground_.clock.unix_now())
                      : Volume::open(std::move(device));
  if (!opened) return std::unexpected(std::move(opened.error()));
  volume_ = std::make_unique<Volume>(std::move(*opened));
  std::vector<std::string> names;
  for (const StreamSpec& stream : options_.streams) names.push_back(stream.name);
  if (auto added = volume_->add_streams(names); !added) return added;
  auto recovered = recover_volume(*volume_);
  if (!recovered) return std::unexpected(std::move(recovered.error()));
  recovered_ = std::move(*recovered);
  oracle.check(*volume_, recovered_);
  clear_torn_tails(*volume_, recovered_);
  return {};
}

Result<> Node::start_log() {
  RecoveredLog& log = find_or_begin(recovered_, LogNumber(0));
  keeper_ = std::make_unique<Keeper>(
      *volume_,
      KeeperOptions{.capacity_bytes = options_.capacity_bytes, .retention = options_.retention},
      ground_.clock);
  for (const SlotIndex slot : recovered_.free_slots) keeper_->add_free_slot(slot);
  for (const SlotIndex slot : recovered_.void_slots) keeper_->add_void_slot(slot);
  for (const SlotIndex slot : recovered_.quarantined_slots) keeper_->add_quarantined_slot(slot);
  keeper_->add_log(LogNumber(0), &channel_, log.segments);
  if (log.start.open) {
    auto file = volume_->device().open_slot(SlotIndex(log.start.open->header.slot));
    if (!file) return std::unexpected(std::move(file.error()));
    log.start.open->file = *file;
  }
  if (auto known = ring_->register_memory(pool_.memory()); !known) return known;
  std::vector<MessageAccount*> doors;
  for (std::size_t i = 0; i < this->doors(); ++i) {
    doors.push_back(&account<MessageAccount>(kDoorAt + i));
  }
  intake_ = std::make_unique<Intake>(account<MessageAccount>(shard_at()), std::move(doors),
                                     ledger_->streams(0));
  observer_ =
      std::make_unique<Observer>(options_.observed ? &ground_.oracle : nullptr, *this, *intake_);
  log_ = std::make_unique<LogWriter>(
      LogOptions{.volume = kVolume,
                 .log = LogNumber(0),
                 .segment_bytes = options_.segment_bytes,
                 .block_bytes = options_.block_bytes,
                 .queue_depth = options_.queue_depth,
                 .linger_ns = options_.linger_ns,
                 .durability = options_.durability,
                 .producers = options_.pdp ? options_.pdp->remembered : 0},
      log.start, pool_, *ring_, channel_, ground_.clock, ground_.rng, *observer_);
  intake_->set_log(*log_);
  return {};
}

Result<> Node::make_ledger() {
  std::vector<AccountSpec> accounts{
      {AccountKind::kPort, 0, "sim"}
  };
  for (const DoorSpec& door : std::span(kDoors).first(doors()))
    accounts.push_back({AccountKind::kDoor, 0, door.name});
  accounts.push_back({AccountKind::kShard, 0, "0"});
  accounts.push_back({AccountKind::kShardGauges, 0, "0"});
  accounts.push_back({AccountKind::kLogEdge, 0, "simulated"});
  if (options_.pdp) accounts.push_back({AccountKind::kFrames, 0, kDoors[kPdpDoor].name});
  StreamPlaces streams{.names = {}, .most = options_.streams.size()};
  for (const StreamSpec& stream : options_.streams)
    streams.names.push_back(stream.name.substr(0, 20));
  auto made = LedgerFile::create(ground_.ledger_path, "sim", {{}, accounts}, streams,
                                 ground_.clock.unix_now());
  if (!made) return std::unexpected(std::move(made.error()));
  ledger_ = std::move(*made);
  auto reader = LedgerReader::open(ground_.ledger_path);
  if (!reader) return std::unexpected(std::move(reader.error()));
  reader_ = std::make_unique<LedgerReader>(std::move(*reader));
  return {};
}

std::optional<CaptureSetId> Node::add_set(std::span<const std::uint32_t> streams) {
  std::array<StreamId, kCapturesMax> ids;
  const Routing& routing = router_->routing();
  for (std::size_t i = 0; i < streams.size(); ++i) ids[i] = routing.id(streams[i]);
  const auto set = log_->captures().add_set(std::span(ids).first(streams.size()));
  if (!set) return set;
  const auto partitions = log_->captures().partitions_of(*set);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    intake_->keep_books(partitions[i], routing.streams()[streams[i]].place);
  }
  return set;
}

std::size_t Node::doors() const { return options_.pdp ? kDoors.size() : kPdpDoor; }
std::size_t Node::shard_at() const { return kDoorAt + doors(); }

void Node::make_doors() {
  std::vector<test::NamedFilters> streams;
  for (const StreamSpec& stream : options_.streams)
    streams.push_back({stream.name, {stream.filter}});
  routings_.push_back(std::make_unique<Routing>(test::make_routing(streams)));
  router_ =
      std::make_unique<StreamRouter>(*routings_.back(), [this](auto set) { return add_set(set); });
  for (std::size_t i = 0; i < doors(); ++i) {
    const DoorSpec& door = kDoors[i];
    DoorOptions options{
        .number = i,
        .name = door.name,
        .protocol = door.protocol,
        .port = door.port,
        .subject =
            SubjectTemplate::compile(door.subject, subject_variables(door.protocol)).value()};
    doors_.push_back(
        std::make_unique<Door>(std::move(options), *router_, account<MessageAccount>(kDoorAt + i)));
    CHECK(map_.add({.address = std::nullopt, .port = door.port}, *doors_.back()).has_value());
  }
  if (options_.pdp) make_pdp();
}

void Node::make_pdp() {
  outbox_ = std::make_unique<PortOutbox>(
      std::vector<PortOutbox::Side>{
          {.queue = &queue_, .account = &account<PortAccount>(kPortAt), .shard = 0}
  },
      nullptr);
  pdp::NodeOptions options = options_.pdp->node;
  options.origin = kPdpDoor;
  options.ports = {
      {.ethernet = test::ethernet_address(test::kOurEthernet), .mtu = 1500}
  };
  pdp_ = std::make_unique<pdp::PdpNode>(std::move(options), options_.pdp->seed, *intake_, *router_,
                                        *log_, *outbox_, account<FrameAccount>(frames_at()));
  intake_->set_observer(*pdp_);
}

void Node::make_shard() {
  FrameOptions frame;
  frame.ethernet_address = test::ethernet_address(test::kOurEthernet);
  frame.addresses = {parse_port_address("10.0.0.2/24").value(),
                     parse_port_address("fd00::2/64").value()};
  frame.fragments = {.datagrams = 16, .packets = 64};
  ShardParts parts{.coalesce_ns = options_.coalesce_ns,
                   .clock = &ground_.clock,
                   .log = log_.get(),
                   .pool = &pool_,
                   .intake = intake_.get(),
                   .doors = &map_,
                   .pdp = pdp_.get(),
                   .outbox = outbox_.get(),
                   .router = router_.get(),
                   .mailbox = &mailbox_,
                   .area = &ledger_->area(1),
                   .gauges = &account<ShardGauges>(shard_at() + 1),
                   .edge = &account<LogEdge>(shard_at() + 2)};
  parts.ports.push_back(
      {.number = 0, .queue = &queue_, .frame = frame, .account = &account<PortAccount>(kPortAt)});
  shard_ = std::make_unique<Shard>(std::move(parts));
  shard_->publish();
}

// Another version of the same streams, in another order: other sets capture the same messages.
void Node::turn_streams() {
  while (mailbox_.answers.pop()) {
  }
  const auto now = routings_.back()->streams();
  std::vector<Stream> turned(now.begin(), now.end());
  std::ranges::rotate(turned, turned.begin() + 1);
  Rng rng(1);
  routings_.push_back(std::make_unique<Routing>(std::move(turned), rng));
  CHECK(mailbox_.commands.push(RouteBy{routings_.back().get()}));
}

bool Node::step_keeper() {
  constexpr std::uint64_t kTurnEvery = 32;
  if (++keeper_steps_ % kTurnEvery == 0 && mailbox_.commands.empty()) turn_streams();
  const std::vector<KeptSegment> before = keeper_->segments(LogNumber(0));
  const std::uint64_t retired = keeper_->status().retired_segments;
  const bool worked = keeper_->step();
  const std::uint64_t count = keeper_->status().retired_segments - retired;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto& kept = keeper_->segments(LogNumber(0));
    const std::uint64_t end = i + 1 < before.size() ? before[i + 1].header.base_sequence
                                                    : kept.front().header.base_sequence;
    ground_.oracle.retired_before(end);
  }
  // A retirement that failed may have reached the drive all the same.
  const auto& kept = keeper_->segments(LogNumber(0));
  if (options_.retention.max_bytes != 0 && !keeper_->status().last_error.empty() &&
      kept.size() > 1) {
    ground_.oracle.retired_before(kept[1].header.base_sequence);
  }
  return worked;
}

void Node::check_books() {
  const auto snapshot = reader_->snapshot();
  if (!snapshot) return ground_.oracle.fail("the ledger is unreadable: " + snapshot.error().what);
  const Books books = take_books(*snapshot);
  for (const Imbalance& wrong : books.imbalances) {
    ground_.oracle.fail(
        fmt::format("{}: {}: {} and {}", wrong.account, wrong.law, wrong.left, wrong.right));
  }
  MessageAccount shard = books.total;
  const std::uint64_t reported = ground_.oracle.reported_messages() - reported_before_;
  if (shard[MessageFate::kStored].count != reported) {
    ground_.oracle.fail(fmt::format("the books say {} messages are stored, {} were reported",
                                    shard[MessageFate::kStored].count, reported));
  }
  const std::uint64_t received = ground_.queue.received() - received_before_;
  if (books.ports.at(0).account.received.count != received) {
    ground_.oracle.fail(fmt::format("the books say {} packets were received, {} were",
                                    books.ports[0].account.received.count, received));
  }
}

}  // namespace penstock::sim
