#include "tests/lib/known_volume.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::uint64_t kSegmentBytes = kSegmentBytesMin;

std::string payload_of(LogNumber log, std::uint64_t offset) {
  std::string text = fmt::format("{}:{:016x} ", log.value, offset);
  text.resize(400 + offset * 97 % 1300, static_cast<char>('a' + offset % 26));
  return text;
}

}  // namespace

// Two logs. The first one has gone through its slots once and half; of the second one every byte
// is where it was first put.
KnownVolume::KnownVolume(std::uint8_t number)
    : volume_(make_memory_volume(drive_, {"all"}, kSegmentBytes, VolumeId{std::byte{number}})) {
  Writer first(volume_, LogNumber(0));
  Writer second(volume_, LogNumber(1));
  begin(second, 3);
  for (std::uint64_t i = 0; i < 14; ++i) block(second, 1 + i % 2);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    begin(first, slot);
    for (std::uint64_t i = 0; i < 24; ++i) block(first, 1 + (i + slot) % 2);
    close(first);
  }
  past_.push_back(drive_);
  CHECK(volume_.add_streams(std::vector<std::string>{"other"}).has_value());
  for (std::uint32_t slot = 0; slot < 2; ++slot) {
    retire(first, slot);
    past_.push_back(drive_);
    begin(first, slot);
    for (std::uint64_t i = 0; i < 24; ++i) block(first, 1 + (i + slot) % 2);
    close(first);
    past_.push_back(drive_);
  }
  for (std::uint64_t i = 0; i < 4; ++i) block(second, 1);
  CHECK(volume_.add_streams(std::vector<std::string>{"third"}).has_value());
  block(second, 1, {"all", "third"});
  begin(first, 4);
  for (std::uint64_t i = 0; i < 20; ++i) block(first, 1 + i % 2);
  mark_end(first);
  mark_end(second);
  CHECK(volume_.device().make_slot(SlotIndex(5)).value());
  pieces_.push_back({Piece::Kind::kBlank, 5, 0, kSegmentBytes});
  add_head_pieces();
}

void KnownVolume::begin(Writer& writer, std::uint32_t slot) {
  writer.forge.begin(slot, writer.oldest);
  writer.segment_first = logs_[writer.log.value].payloads.size();
  pieces_.push_back({Piece::Kind::kHeader, slot, 0, kPageBytes, writer.log, writer.segment_first,
                     writer.segment_first});
}

void KnownVolume::block(Writer& writer, std::uint64_t messages, std::vector<std::string> streams) {
  std::vector<std::string>& payloads = logs_[writer.log.value].payloads;
  const std::uint64_t first = payloads.size();
  for (std::uint64_t i = 0; i < messages; ++i) {
    payloads.push_back(payload_of(writer.log, payloads.size()));
    writer.forge.message(payloads.back(), streams);
  }
  writer.forge.seal();
  const std::uint64_t at = writer.forge.last_offset;
  pieces_.push_back({messages > 0 ? Piece::Kind::kBlock : Piece::Kind::kLastBlock,
                     writer.forge.header().slot, at, at + writer.forge.last_bytes, writer.log,
                     first, payloads.size()});
  // The header's piece is that of its segment.
  const auto header = std::ranges::find_if(pieces_, [&](const Piece& piece) {
    return piece.kind == Piece::Kind::kHeader && piece.slot == writer.forge.header().slot;
  });
  header->next = payloads.size();
}

void KnownVolume::close(Writer& writer) {
  const std::uint32_t slot = writer.forge.header().slot;
  writer.forge.close_here();
  pieces_.push_back({Piece::Kind::kIndex, slot, writer.forge.position() * std::uint64_t{kPageBytes},
                     kSegmentBytes - kPageBytes, writer.log});
  pieces_.push_back(
      {Piece::Kind::kFooter, slot, kSegmentBytes - kPageBytes, kSegmentBytes, writer.log});
}

// As the end in order does it.
void KnownVolume::mark_end(Writer& writer) {
  block(writer, 0);
  pieces_.push_back(
      {writer.oldest > 1 ? Piece::Kind::kUnused : Piece::Kind::kBlank, writer.forge.header().slot,
       writer.forge.position() * std::uint64_t{kPageBytes}, kSegmentBytes, writer.log});
}

// As the keeper does it.
void KnownVolume::retire(Writer& writer, std::uint32_t slot) {
  const std::span<std::byte> page = std::span(drive_.slots.at(slot)).first(kPageBytes);
  SegmentHeader header = decode_segment_header(page).value();
  CHECK_EQ(header.sequence, writer.oldest++);
  header.state = SlotState::kFree;
  header.generation = 0;
  encode_segment_header(page, header);
  KnownLog& log = logs_[writer.log.value];
  std::erase_if(pieces_, [&](const Piece& piece) {
    const bool gone = piece.slot == slot;
    if (gone && piece.kind == Piece::Kind::kHeader) log.first = piece.next;
    return gone;
  });
}

void KnownVolume::add_head_pieces() {
  pieces_.push_back({Piece::Kind::kSuperblock, kVolumeHead.value, 0, kPageBytes});
  for (const std::uint64_t at : kCataloguePosition) {
    pieces_.push_back({Piece::Kind::kCatalogue, kVolumeHead.value, at, at + kCatalogueBytes});
  }
}

Verdict KnownVolume::judge(MemoryDrive& drive) const {
  Verdict verdict;
  MemoryDevice device(drive);
  auto verified = verify_volume(device);
  if (verified) verdict.findings = std::move(verified->findings);
  auto volume = Volume::open(std::make_unique<MemoryDevice>(drive));
  if (!volume) {
    const auto exists = Volume::exists(device);
    if (exists && !*exists) verdict.wrong = "taken for blank";
    return verdict;
  }
  const auto recovered = recover_volume(*volume);
  if (!recovered && recovered.error().code == Errc::kCorrupt) return verdict;
  if (!recovered) {
    verdict.wrong = "recovery fails: " + recovered.error().what;
    return verdict;
  }
  verdict.opened = true;
  verdict.lost.resize(kLogs);
  for (std::uint32_t log = 0; log < kLogs && verdict.wrong.empty(); ++log) {
    read_log(*volume, LogNumber(log), *recovered, verdict);
  }
  return verdict;
}

void KnownVolume::read_log(Volume& volume, LogNumber log, const RecoveredVolume& recovered,
                           Verdict& verdict) const {
  const KnownLog& known = logs_[log.value];
  const auto found = recovered.logs.find(log);
  if (found == recovered.logs.end()) {
    verdict.wrong = fmt::format("log {} is not there", log.value);
    return;
  }
  const LogStart& start = found->second.start;
  const std::uint64_t end = known.payloads.size();
  const auto all =
      std::ranges::find(start.partitions, stream_id("all"), &LogStart::Partition::stream);
  if ((all == start.partitions.end() ? start.new_partitions : all->next_offset).value < end) {
    verdict.wrong = fmt::format("log {}: offsets before {} would be given again", log.value, end);
    return;
  }
  LogReader reader(volume, log, stream_id("all"), found->second, end_of(found->second));
  std::uint64_t next = known.first;
  bool told = false;  // of a gap since the last message
  const auto pass = [&](std::uint64_t to) {
    if (next < to && !told) {
      verdict.wrong = fmt::format("log {}: messages {} to {} are missing, and no gap was told",
                                  log.value, next, to - 1);
    }
    for (; next < to; ++next) verdict.lost[log.value].push_back(next);
    told = false;
  };
  while (verdict.wrong.empty()) {
    const auto item = reader.next();
    if (!item) {
      verdict.wrong = "reading fails: " + item.error().what;
    } else if (std::holds_alternative<AtEnd>(*item)) {
      pass(end);
      return;
    } else if (std::holds_alternative<Gap>(*item)) {
      told = true;
    } else {
      const auto& record = std::get<Record>(*item);
      const std::uint64_t offset = record.offset.value;
      if (offset < next || offset >= end) {
        verdict.wrong =
            fmt::format("log {}: message {} is read behind {}", log.value, offset, next);
      } else if (!std::ranges::equal(record.message.payload,
                                     std::as_bytes(std::span(known.payloads[offset])))) {
        verdict.wrong = fmt::format("log {}: message {} is another one", log.value, offset);
      } else {
        pass(offset);
        next = offset + 1;
      }
    }
  }
}

}  // namespace penstock
