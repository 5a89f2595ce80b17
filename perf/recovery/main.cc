// How long a node with a terabyte of closed segments takes to know what it has, after an orderly
// end and after being killed with a segment open. The closed segments are headers, indexes and
// footers in sparse files, as recovery reads no more of them; the open one is real.
//
//   recovery FOLDER GIGABYTES    prints one JSON object; FOLDER is made and removed
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/crc32c.h"
#include "perf/arguments.h"
#include "storage/log/keeper.h"
#include "storage/log/log_writer.h"
#include "storage/recover/recovery.h"
#include "storage/ring/io_ring_linux.h"

namespace penstock {
namespace {

constexpr std::uint64_t kSegmentBytes = 256 * kMiB;
constexpr std::uint32_t kBlockBytes = 256 * 1024;
constexpr std::uint32_t kBlocksEach = 1023;   // as many as fit
constexpr std::uint32_t kMessagesEach = 250;  // of a block
constexpr std::uint32_t kCrc = 0x12345678;
const std::string kStream = "all";

// A closed segment without its blocks.
KeptSegment forge(VolumeDevice& device, const std::string& folder, const VolumeId& volume,
                  std::uint32_t slot) {
  const std::string path = fmt::format("{}/segment-{:06}", folder, slot);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  CHECK_EQ(ftruncate(fd, kSegmentBytes), 0);
  close(fd);
  KeptSegment kept;
  kept.closed = true;
  kept.header = {.volume = volume,
                 .slot = slot,
                 .state = SlotState::kUsed,
                 .previous_crc = slot == 0 ? 0 : kCrc,
                 .generation = slot + 1U,
                 .sequence = slot + 1U,
                 .base_sequence = std::uint64_t{slot} * kBlocksEach,
                 .segment_bytes = kSegmentBytes};
  const std::uint64_t at = kPageBytes + std::uint64_t{kBlocksEach} * kBlockBytes;
  const std::size_t index = kSegmentBytes - kPageBytes - at;
  const PageBuffer pages = allocate_pages(index + kPageBytes);
  const std::span bytes(pages.get(), index + kPageBytes);
  for (std::uint32_t i = 0; i < kBlocksEach; ++i) {
    store(bytes, i * sizeof(IndexEntry),
          IndexEntry{.position = 1 + i * (kBlockBytes / kPageBytes),
                     .pages = kBlockBytes / kPageBytes,
                     .message_count = kMessagesEach,
                     .crc = kCrc});
  }
  const std::uint64_t first = std::uint64_t{slot} * kBlocksEach * kMessagesEach;
  store(bytes, kBlocksEach * sizeof(IndexEntry),
        PartitionEntry{.stream = stream_id(kStream).value,
                       .first_offset = first,
                       .next_offset = first + kBlocksEach * kMessagesEach,
                       .last_block = kBlocksEach - 1});
  kept.footer = {.volume = volume,
                 .slot = slot,
                 .generation = kept.header.generation,
                 .sequence = kept.header.sequence,
                 .base_sequence = kept.header.base_sequence,
                 .segment_bytes = kSegmentBytes,
                 .index_position = static_cast<std::uint32_t>(at / kPageBytes),
                 .index_crc = crc32c(bytes.first(index)),
                 .block_count = kBlocksEach,
                 .partition_count = 1,
                 .last_crc = kCrc,
                 .message_count = kBlocksEach * kMessagesEach};
  encode_segment_footer(bytes.last(kPageBytes), kept.footer);
  CHECK(device.write(SlotIndex(slot), at, bytes).has_value());
  encode_segment_header(bytes.first(kPageBytes), kept.header);
  CHECK(device.write(SlotIndex(slot), 0, bytes.first(kPageBytes)).has_value());
  return kept;
}

class Ignore final : public LogObserver {
 public:
  void on_durable(const Block& /*block*/) override {}
};

// Fills most of a fresh segment behind the closed ones; with `orderly` marks the end, else just
// stops.
void fill_open_segment(Volume& volume, std::vector<KeptSegment> closed, bool orderly) {
  SystemClock clock;
  Rng rng = Rng::from_kernel();
  Ignore ignore;
  SegmentChannel channel;
  LogStart start;
  start.next_sequence = BlockSequence(closed.size() * kBlocksEach);
  start.last_crc = kCrc;
  start.next_segment = SegmentSequence(closed.size() + 1);
  start.partitions.push_back(
      {stream_id(kStream), Offset(closed.size() * kBlocksEach * kMessagesEach)});
  Keeper keeper(volume, {.ready_slots = 1}, clock);
  keeper.add_log(LogNumber(0), &channel, std::move(closed));
  const PageBuffer memory = allocate_pages(32 * kBlockBytes);
  BlockPool pool({memory.get(), std::size_t{32} * kBlockBytes}, kBlockBytes);
  const auto ring = make_io_ring_linux({}).value();
  LogWriter log({.volume = volume.superblock().volume,
                 .log = LogNumber(0),
                 .segment_bytes = kSegmentBytes,
                 .block_bytes = kBlockBytes},
                start, pool, *ring, channel, clock, rng, ignore);
  const StreamId all = stream_id(kStream);
  const CaptureSetId set = log.captures().add_set({&all, 1}).value();
  const std::string payload(1000, 'x');
  MessageView message;
  message.subject = "perf.recovery";
  message.received = clock.unix_now();
  message.payload = std::as_bytes(std::span(payload));
  const auto work = [&] {
    keeper.step();
    log.poll(clock.monotonic_now());
  };
  for (std::uint64_t i = 0; i < kSegmentBytes * 9 / 10 / payload.size(); ++i) {
    while (log.append(set, 0, message) != Appended::kOk) work();
  }
  log.seal();
  while (!log.drained()) work();
  if (!orderly) return;
  log.mark_clean_end();
  while (!log.drained()) work();
}

double timed_recovery(const std::string& folder, std::size_t segments) {
  const auto begin = std::chrono::steady_clock::now();
  auto volume = Volume::open(open_volume_device(folder, DeviceAccess::kReadOnly).value()).value();
  const RecoveredVolume recovered = recover_volume(volume).value();
  const auto end = std::chrono::steady_clock::now();
  CHECK_EQ(recovered.logs.at(LogNumber(0)).segments.size(), segments);
  for (const Finding& finding : recovered.findings) {
    fmt::print(stderr, "{}: {}\n", to_string(finding.kind), finding.what);
    CHECK(finding.kind == Finding::Kind::kTornTail);
  }
  return std::chrono::duration<double>(end - begin).count();
}

double measure(const std::string& folder, std::uint64_t gigabytes, bool orderly) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto count = static_cast<std::uint32_t>(gigabytes * 1'000'000'000 / kSegmentBytes);
  {
    SystemClock clock;
    auto volume =
        Volume::create(open_volume_device(folder, DeviceAccess::kReadWrite).value(),
                       {.segment_bytes = kSegmentBytes}, VolumeId{std::byte{9}}, clock.unix_now())
            .value();
    CHECK(volume.add_streams({&kStream, 1}).has_value());
    std::vector<KeptSegment> closed;
    for (std::uint32_t slot = 0; slot < count; ++slot) {
      closed.push_back(forge(volume.device(), folder, volume.superblock().volume, slot));
    }
    fill_open_segment(volume, std::move(closed), orderly);
  }
  const double seconds = timed_recovery(folder, count + 1);
  std::filesystem::remove_all(folder);
  return seconds;
}

int run(int argc, char** argv) {
  const auto gigabytes = argc == 3 ? number_of<std::uint64_t>(argv[2]) : 0;
  if (gigabytes == 0) {
    fmt::print(stderr, "usage: recovery FOLDER GIGABYTES\n");
    return 2;
  }
  const nlohmann::ordered_json json = {
      {"gigabytes", gigabytes},
      {"segments", gigabytes * 1'000'000'000 / kSegmentBytes},
      {"clean_seconds", measure(argv[1], gigabytes, true)},
      {"killed_seconds", measure(argv[1], gigabytes, false)}
  };
  fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
