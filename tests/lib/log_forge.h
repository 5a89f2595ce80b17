// Writes logs step by step, without ring, keeper or clock: any state of a volume, a crash's too,
// can be made.
#pragma once

#include <optional>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "storage/log/block_builder.h"
#include "storage/log/segment_writer.h"
#include "tests/lib/memory_device.h"
#include "tests/lib/producer_run.h"

namespace penstock {

inline Volume make_memory_volume(MemoryDrive& drive, const std::vector<std::string>& streams,
                                 std::uint64_t segment_bytes = 1 * kMiB,
                                 VolumeId id = VolumeId{std::byte{7}}) {
  Volume volume = Volume::create(std::make_unique<MemoryDevice>(drive),
                                 {.segment_bytes = segment_bytes}, id, UnixNanos(1))
                      .value();
  CHECK(volume.add_streams(streams).has_value());
  return volume;
}

// What an earlier or failed process would have known.
struct ForgePlace {
  BlockSequence sequence{0};
  std::uint32_t crc = 0;
};

class LogForge {
 public:
  static constexpr std::uint32_t kBlockBytes = 64 * 1024;
  static constexpr std::size_t kProducers = 16;

  explicit LogForge(Volume& volume, LogNumber log = LogNumber(0))
      : volume_(volume),
        log_(log),
        memory_(allocate_pages(kBlockBytes)),
        pool_({memory_.get(), kBlockBytes}, kBlockBytes),
        builder_(captures_, producers_, true),
        // With room for all of a segment, so that one may be closed however little it holds.
        segment_(volume.superblock().segment_bytes,
                 static_cast<std::uint32_t>(volume.superblock().segment_bytes), captures_,
                 producers_) {}

  // Goes on where another one ended, or where its writes failed.
  LogForge(Volume& volume, const ForgePlace& from, std::uint64_t segment, std::string_view stream,
           Offset next)
      : LogForge(volume) {
    place = from;
    next_segment = segment;
    CHECK(captures_.add_partition(stream_id(stream), next).has_value());
  }

  // Takes a slot, made when there is none, for the next segment.
  void begin(std::uint32_t slot, std::uint64_t oldest = 0) {
    const auto slots = volume_.device().list_slots().value();
    if (std::ranges::find(slots, SlotIndex(slot)) == slots.end()) {
      CHECK(volume_.device().make_slot(SlotIndex(slot)).value());
    }
    write(slot, volume_.superblock().segment_bytes - kPageBytes, blank());
    SegmentHeader header{};
    header.volume = volume_.superblock().volume;
    header.log = log_.value;
    header.slot = slot;
    header.state = SlotState::kUsed;
    header.previous_crc = place.crc;
    header.generation = 10'000 * life + 1000 + 100 * log_.value + next_segment;
    header.sequence = next_segment++;
    header.base_sequence = place.sequence.value;
    header.oldest_sequence = oldest;
    header.segment_bytes = volume_.superblock().segment_bytes;
    header.created_ns = 1;
    segment_.begin(header, {}, {});
    write(slot, 0, segment_.header_page());
  }

  // Adds a message to the block being made.
  void message(std::string_view payload, std::vector<std::string> streams = {"all"}) {
    std::vector<StreamId> ids;
    for (const std::string& name : streams) ids.push_back(stream_id(name));
    if (!builder_.has_block()) builder_.start(pool_.take());
    MessageView view;
    view.subject = "a.b";
    view.received = UnixNanos(time);
    time += 10;
    view.payload = std::as_bytes(std::span(payload));
    payload_bytes += payload.size();
    CHECK(builder_.append(captures_.add_set(ids).value(), 0, view));
  }

  // Adds a run to the block being made, and the session where it is not known.
  void run(SessionNumber session, std::uint64_t sequence, std::uint32_t count) {
    run(session, sequence, std::vector<std::string>(count, std::string(100, 'p')));
  }
  void run(SessionNumber session, std::uint64_t sequence,
           const std::vector<std::string>& payloads) {
    const LaidOutMessages messages = lay_out("a.b", payloads);
    auto producer = producers_.find(session);
    if (!producer) producer = producers_.add(session, sequence).value();
    const StreamId all = stream_id("all");
    if (!builder_.has_block()) builder_.start(pool_.take());
    CHECK(builder_.append_run(captures_.add_set({&all, 1}).value(), 0,
                              messages.run(*producer, sequence, UnixNanos(time))));
    time += 10;
    payload_bytes += messages.payload_bytes;
  }
  // Of who writes the log: to leave sequences out, or to know sessions of before.
  [[nodiscard]] ProducerTable& producers() { return producers_; }

  // Whether another block of this length fits the segment.
  [[nodiscard]] bool has_room(std::uint32_t length) const { return segment_.has_room(length); }

  // Writes the block. Unless `durable` says less, all before it was durable when it was sealed.
  void seal(std::optional<BlockSequence> durable = std::nullopt) {
    if (!builder_.has_block()) builder_.start(pool_.take());
    Block* block = builder_.finish();
    CHECK(segment_.has_room(block->header.length));
    const auto offset =
        segment_.place(*block, place.sequence, durable.value_or(place.sequence), place.crc);
    write(segment_.header().slot, offset, block->bytes.first(block->header.length));
    last_offset = offset;
    last_bytes = block->header.length;
    place = {place.sequence + 1, block->header.crc};
    for (const RunNote& note : block->run_notes.first(block->notes)) {
      if (note.producer == kNoProducer) continue;
      producers_.make_durable(note.producer, note.producer_end);
    }
    pool_.give_back(block);
  }
  // One block with one message of about this size.
  void block(std::size_t bytes = 5000, std::vector<std::string> streams = {"all"}) {
    message(std::string(bytes, 'x'), std::move(streams));
    seal();
  }

  // Fills the segment at least by half: a writer never closes an emptier one.
  void close() {
    while (has_room(512 * 1024)) block(60'000);
    close_here();
  }
  void close_here() {
    segment_.end();
    const std::uint32_t slot = segment_.header().slot;
    write(slot, segment_.close_offset(), segment_.close(place.crc, UnixNanos(time)));
    write(slot, volume_.superblock().segment_bytes - kPageBytes, segment_.footer_page());
  }

  [[nodiscard]] const SegmentHeader& header() const { return segment_.header(); }
  // A live edge just behind the last block.
  [[nodiscard]] std::uint32_t position() const { return segment_.position(); }

  ForgePlace place;
  std::uint64_t next_segment = 1;
  std::uint64_t life = 0;  // of the node: segments of two lives have two generations
  std::int64_t time = 1'000'000;
  std::uint64_t payload_bytes = 0;
  std::uint64_t last_offset = 0;  // of the block written last, in its slot
  std::uint32_t last_bytes = 0;

 private:
  [[nodiscard]] static std::span<const std::byte> blank() {
    static const std::vector<std::byte> page(kPageBytes);
    return page;
  }
  void write(std::uint32_t slot, std::uint64_t offset, std::span<const std::byte> bytes) {
    CHECK(volume_.device().write(SlotIndex(slot), offset, bytes).has_value());
  }

  Volume& volume_;
  LogNumber log_;
  PageBuffer memory_;
  BlockPool pool_;
  CaptureTable captures_;
  ProducerTable producers_{kProducers};
  BlockBuilder builder_;
  SegmentWriter segment_;
};

}  // namespace penstock
