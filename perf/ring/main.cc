// What a shard does with a packet, on one core: packets from memory through frames, door, block and
// checksum to a null volume. Beside it, in the same minute: the same packets only received and
// freed.
//
//   ring CORE PAIRS [CASE]    prints one JSON object: {"cases": [{name, messages_per_second,
//   receive_only,
//   ...}]}
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "control/daemon/live_streams.h"
#include "control/daemon/shard_world.h"
#include "dataplane/ledger/ledger_file.h"
#include "dataplane/port/eal.h"
#include "perf/arguments.h"
#include "perf/ring/pdp_packets.h"
#include "storage/log/keeper.h"
#include "storage/volume/device_null.h"

namespace penstock::ring {
namespace {

constexpr double kLegSeconds = 0.3;
constexpr unsigned kPackets = 2048;

struct Case {
  std::string name;
  std::string payload;
  std::uint16_t port = kPort;
  unsigned messages = 1;             // of a packet
  std::optional<PdpShape> pdp = {};  // instead of a payload
};

// Of this thread alone: what else runs on the core does not count.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string filled(std::string text, std::size_t size) {
  while (text.size() < size) text += static_cast<char>('a' + text.size() % 26);
  return text;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::size_t size : {64, 256, 1024}) {
    all.push_back({fmt::format("line_{}", size), filled("", size)});
  }
  std::string packed;
  for (int i = 0; i < 79; ++i) packed += filled("", 100) + '\n';
  all.push_back({"line_100_packed_8000", packed, kPort, 79});
  const std::string head = "<134>1 2026-01-01T00:00:00.000000Z host1 blast 4711 - - ";
  all.push_back({"syslog_256", filled(head, 256), 514});
  all.push_back({.name = "pdp_64_packed_1472", .pdp = PdpShape{}});
  all.push_back(
      {.name = "pdp_64_packed_1472_durable", .pdp = PdpShape{.level = pdp::Level::kDurable}});
  all.push_back({
      .name = "pdp_256_packed_8000", .pdp = PdpShape{.frame_bytes = 8000, .message_bytes = 256}
  });
  return all;
}

std::unique_ptr<PacketSource> source_of(const Case& wanted, Clock& clock) {
  if (wanted.pdp) return std::make_unique<PdpPackets>(*wanted.pdp, kPackets, clock);
  return std::make_unique<LoopedPackets>(packet_of(wanted.payload, wanted.port), kPackets);
}

// A shard on a null volume, with its keeper, on this thread.
class Bench {
 public:
  explicit Bench(const Case& wanted)
      : packets_(source_of(wanted, clock_)),
        volume_(
            Volume::create(make_null_volume_device(), {}, VolumeId{std::byte{1}}, clock_.unix_now())
                .value()),
        keeper_(volume_, {}, clock_) {
    keeper_.add_log(LogNumber(0), &channel_, {});
    std::filesystem::create_directories("build/perf");
    const std::vector<std::vector<AccountSpec>> areas{
        {},
        {{AccountKind::kPort, 0, "memory"},
         {AccountKind::kDoor, 0, "lines"},
         {AccountKind::kDoor, 0, "syslog"},
         {AccountKind::kDoor, 0, "pdp"},
         {AccountKind::kShard, 0, "0"},
         {AccountKind::kShardGauges, 0, "0"},
         {AccountKind::kLogEdge, 0, "null"},
         {AccountKind::kFrames, 0, "pdp"}}
    };
    ledger_ =
        LedgerFile::create("build/perf/ring.ledger", "ring", areas, {{"all"}, 1}, clock_.unix_now())
            .value();
    plan_.volume.kind = VolumeKind::kNull;
    plan_.volume_id = VolumeId{std::byte{1}};
    plan_.hugepages = true;
    plan_.channel = &channel_;
    plan_.doors = {
        {.name = "lines",  .kind = DoorKind::kLine,   .listen = {"*:5140"}},
        {.name = "syslog", .kind = DoorKind::kSyslog, .listen = {"*:514"} },
        {.name = "pdp",    .kind = DoorKind::kPdp,    .listen = {"*:7373"}}
    };
    plan_.routing = &streams_.newest();
    FrameOptions frame;
    frame.ethernet_address = kEthernetAddress;
    frame.addresses.push_back(parse_port_address("10.77.0.1/24").value());
    plan_.queues.push_back({.port = 0, .queue = packets_.get(), .frame = frame});
    plan_.area = &ledger_->area(1);
    plan_.stream_books = &ledger_->streams(0);
    plan_.pdp.ports = {
        {.ethernet = kEthernetAddress, .mtu = 9000}
    };
    plan_.pdp.port_shards = {0};
    world_ = ShardWorld::make(plan_, clock_).value();
    shard_ = std::make_unique<Shard>(world_->parts(plan_, clock_));
  }

  // Packets a second through the whole shard.
  double pipeline() {
    const std::uint64_t before = packets_->received();
    const double rate = timed([this] {
      for (int i = 0; i < 64; ++i) (void)shard_->step();
      (void)keeper_.step();
    });
    piped_ += packets_->received() - before;
    return rate;
  }

  // Of all messages that came through pipeline(), how many the log took. 1, or the figures are
  // none.
  [[nodiscard]] double stored_share(unsigned messages_each) {
    shard_->publish();
    const auto& shard = ledger_->area(1).account<MessageAccount>(ShardAccounts{1, 3}.shard());
    return static_cast<double>(shard.offered.count) / (static_cast<double>(piped_) * messages_each);
  }
  // Messages of a packet, and their bytes.
  [[nodiscard]] std::pair<unsigned, std::size_t> contents(const Case& wanted) const {
    if (!wanted.pdp) return {wanted.messages, wanted.payload.size()};
    const unsigned messages = dynamic_cast<const PdpPackets&>(*packets_).messages();
    return {messages, messages * wanted.pdp->message_bytes};
  }

  // Packets a second only received, looked at and freed. Sequences are used up: a session whose
  // frames are taken from it goes on no more, so this comes last.
  double receive_only() {
    return timed([this] {
      for (int i = 0; i < 64; ++i) {
        std::array<rte_mbuf*, 64> burst;
        const std::uint16_t count = packets_->receive(burst);
        for (std::uint16_t j = 0; j < count; ++j) {
          prefetch_frame(burst[j]);
          rte_pktmbuf_free(burst[j]);
        }
      }
    });
  }

 private:
  template <class Turn>
  double timed(const Turn& turn) {
    const double begin = thread_seconds();
    const std::uint64_t before = packets_->received();
    double seconds = 0;
    while (seconds < kLegSeconds) {
      turn();
      seconds = thread_seconds() - begin;
    }
    return static_cast<double>(packets_->received() - before) / seconds;
  }

  SystemClock clock_;
  std::uint64_t piped_ = 0;
  std::unique_ptr<PacketSource> packets_;
  Volume volume_;
  Keeper keeper_;
  SegmentChannel channel_;
  std::unique_ptr<LedgerFile> ledger_;
  const StreamConfig all_{.name = "all", .subjects = {">"}};
  LiveStreams streams_{
      {&all_, 1},
      1
  };
  ShardPlan plan_;
  std::unique_ptr<ShardWorld> world_;
  std::unique_ptr<Shard> shard_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

nlohmann::ordered_json measure(const Case& wanted, unsigned pairs) {
  Bench bench(wanted);
  (void)bench.pipeline();  // the first messages make routes and take blocks
  std::vector<double> pipeline;
  std::vector<double> receive;
  for (unsigned i = 0; i < pairs; ++i) {
    if (!wanted.pdp) receive.push_back(bench.receive_only());
    pipeline.push_back(bench.pipeline());
  }
  if (wanted.pdp) receive.push_back(bench.receive_only());
  const auto [messages_each, bytes_each] = bench.contents(wanted);
  const double messages = median(pipeline) * messages_each;
  const double bytes = median(pipeline) * static_cast<double>(bytes_each);
  return {
      {"name",                            wanted.name                      },
      {"messages_per_second",             messages                         },
      {"nanoseconds_per_message",         1e9 / messages                   },
      {"nanoseconds_per_packet",          1e9 / median(pipeline)           },
      {"stored_share",                    bench.stored_share(messages_each)},
      {"megabytes_per_second",            bytes / 1e6                      },
      {"receive_only_packets_per_second", median(receive)                  },
      {"pairs",                           pairs                            }
  };
}

int run(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("ring"));  // standard output is the result
  if (argc != 3 && argc != 4) {
    fmt::print(stderr, "usage: ring CORE PAIRS [CASE]\n");
    return 2;
  }
  auto eal = start_eal({.program = "ring",
                        .file_prefix = "ring",
                        .memory_bytes = 128 * kMiB,
                        .main_core = static_cast<int>(number_of<unsigned>(argv[1]))});
  if (!eal) {
    fmt::print(stderr, "ring: {}\n", eal.error().what);
    return 1;
  }
  nlohmann::ordered_json json;
  for (const Case& wanted : cases()) {
    if (argc == 4 && wanted.name != argv[3]) continue;
    json["cases"].push_back(measure(wanted, number_of<unsigned>(argv[2])));
  }
  fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace
}  // namespace penstock::ring

int main(int argc, char** argv) { return penstock::ring::run(argc, argv); }
