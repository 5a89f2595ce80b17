// A whole small volume, damaged by the input byte by byte or under good checksums, through
// recovery, verify and a reader. Whatever it holds: nothing breaks, and everything ends. Where
// verify finds nothing, recovery and readers find nothing either and all is read. Where bytes are
// damaged and no checksum was put right, every message that is read is one that was written.
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "storage/format/page.h"
#include "storage/read/log_reader.h"
#include "storage/recover/verify.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/lib/log_forge.h"

using namespace penstock;

namespace {

const StreamId kOdd = stream_id("odd");
constexpr std::uint64_t kSegmentBytes = kSegmentBytesMin;
constexpr std::uint32_t kPages = kSegmentBytes / kPageBytes;
constexpr std::uint32_t kSlots = 5;
constexpr unsigned kChangesMax = 12;

// Closed, closed, open in one log; another log's; a free one.
class Image {
 public:
  Image() {
    Volume volume = make_memory_volume(drive_, {"all", "odd"}, kSegmentBytes);
    LogForge forge(volume);
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
      forge.begin(slot);
      while (forge.has_room(512 * 1024)) fill(forge, 20, 2500);
      forge.close();
    }
    forge.begin(2);
    for (int i = 0; i < 6; ++i) fill(forge, 2 + i, 700);
    LogForge other(volume, LogNumber(1));
    other.begin(3);
    for (int i = 0; i < 3; ++i) fill(other, 4, 900);
    CHECK(volume.device().make_slot(SlotIndex(4)).value());
    whole_ = drive_;
  }

  [[nodiscard]] MemoryDrive& drive() { return drive_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_.size(); }
  [[nodiscard]] bool has(const MessageView& message) const {
    return messages_.contains(std::string(fuzz::text_of(message.payload)));
  }

  // Room for a change; what was there comes back with restore().
  std::span<std::byte> change(std::uint32_t slot, std::size_t at, std::size_t bytes) {
    auto& all = slot == kSlots ? drive_.head : drive_.slots[slot];
    at = std::min(at, all.size());
    const auto place = std::span(all).subspan(at, std::min(bytes, all.size() - at));
    changed_.push_back({slot, at, place.size()});
    return place;
  }
  void restore() {
    for (const auto& [slot, at, bytes] : changed_) {
      auto& now = slot == kSlots ? drive_.head : drive_.slots[slot];
      const auto& whole = slot == kSlots ? whole_.head : whole_.slots[slot];
      std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(at), bytes,
                  now.begin() + static_cast<std::ptrdiff_t>(at));
    }
    changed_.clear();
    drive_.bad_pages.clear();
  }

 private:
  void fill(LogForge& forge, int messages, std::size_t bytes) {
    for (int i = 0; i < messages; ++i) {
      std::string payload = fmt::format("{:08} ", messages_.size());
      payload.resize(bytes, 'x');
      messages_.insert(payload);
      std::vector<std::string> streams{"all"};
      if (messages_.size() % 2 == 1) streams.emplace_back("odd");
      forge.message(payload, streams);
    }
    std::string payload = fmt::format("{:08} of a producer", messages_.size());
    messages_.insert(payload);
    const SessionNumber session(messages_.size() % 3);
    const auto known = forge.producers().find(session);
    forge.run(session, known ? forge.producers().at(*known).next : 7, {payload});
    forge.seal();
  }

  struct Changed {
    std::uint32_t slot;
    std::size_t at;
    std::size_t bytes;
  };
  MemoryDrive drive_;
  MemoryDrive whole_;
  std::set<std::string> messages_;
  std::vector<Changed> changed_;
};

// ---- Damage -------------------------------------------------------------------------------------

template <class T>
void seal_page(std::span<std::byte> page, std::uint64_t magic) {
  if (page.size() == kPageBytes) encode_page(page, load<T>(page), magic);
}

// With magic and checksum put right over whatever lengths it now has, if it can be a block at all.
void seal_block(Image& image, std::uint32_t slot, std::size_t at) {
  const auto header = load<BlockHeader>(image.change(slot, at, kPageBytes));
  if (header.length < sizeof header || header.length > LogForge::kBlockBytes ||
      header.used > header.length || header.used < sizeof header) {
    return;
  }
  const auto block = image.change(slot, at, header.length);
  if (block.size() == header.length) finish_block(block, header);
}

void seal_index(Image& image, std::uint32_t slot) {
  const auto page = image.change(slot, kSegmentBytes - kPageBytes, kPageBytes);
  auto footer = load<SegmentFooter>(page);
  if (footer.index_position >= kPages - 1) return;
  const std::size_t at = std::size_t{footer.index_position} * kPageBytes;
  footer.index_crc = crc32c(image.change(slot, at, kSegmentBytes - kPageBytes - at));
  encode_segment_footer(page, footer);
}

enum class Kind : std::uint8_t {
  kBytes,
  kZeros,
  kCopy,
  kUnreadable,
  kHeadBytes,
  kSealed,  // this and all that follow: under good checksums
  kSealedHeader = kSealed,
  kSealedBlock,
  kSealedIndex,
  kSealedFooter,
  kSealedSuperblock,
  kCount
};

// Where a change goes: pages near the front most often, bytes near a page's front most often.
std::size_t place_of(fuzz::FuzzInput& input) {
  const std::size_t page = input.number<std::uint8_t>() % kPages;
  const auto byte = input.number<std::uint16_t>();
  return page * kPageBytes + ((byte & 0x8000U) != 0 ? byte % kPageBytes : byte % 256);
}

// Returns whether a checksum was put right.
bool damage(Image& image, fuzz::FuzzInput& input) {
  const auto kind =
      static_cast<Kind>(input.number<std::uint8_t>() % static_cast<int>(Kind::kCount));
  const std::uint32_t slot = input.number<std::uint8_t>() % kSlots;
  const std::size_t at = place_of(input);
  const std::size_t page = at / kPageBytes * kPageBytes;
  const auto put = [&](std::uint32_t where, std::size_t offset) {
    const auto bytes = input.bytes(1 + input.number<std::uint8_t>() % 16);
    const auto place = image.change(where, offset, bytes.size());  // shorter at the end
    std::ranges::copy(bytes.first(place.size()), place.begin());
  };
  switch (kind) {
    case Kind::kBytes: put(slot, at); break;
    case Kind::kZeros:
      std::ranges::fill(image.change(slot, page, (1U + at % 40) * kPageBytes), std::byte{0});
      break;
    case Kind::kCopy: {
      const std::size_t pages = 1 + input.number<std::uint8_t>() % 20;
      const auto from = image.change(input.number<std::uint8_t>() % kSlots,
                                     place_of(input) / kPageBytes * kPageBytes, pages * kPageBytes);
      const std::vector<std::byte> copy(from.begin(), from.end());
      const auto to = image.change(slot, page, copy.size());
      std::copy_n(copy.begin(), to.size(), to.begin());
      break;
    }
    case Kind::kUnreadable:
      image.drive().bad_pages.insert({slot, static_cast<std::uint32_t>(at / kPageBytes)});
      break;
    case Kind::kHeadBytes: put(kSlots, at % (3 * kMiB)); break;
    case Kind::kSealedHeader:
      put(slot, at % 96);
      seal_page<SegmentHeader>(image.change(slot, 0, kPageBytes), kSegmentHeaderMagic);
      break;
    case Kind::kSealedBlock:
      put(slot, at);
      seal_block(image, slot, page);
      break;
    case Kind::kSealedIndex: {
      const auto footer = load<SegmentFooter>(image.change(slot, kSegmentBytes - kPageBytes, 136));
      put(slot, std::size_t{footer.index_position % kPages} * kPageBytes + at % kPageBytes);
      seal_index(image, slot);
      break;
    }
    case Kind::kSealedFooter:
      put(slot, kSegmentBytes - kPageBytes + at % 136);
      seal_page<SegmentFooter>(image.change(slot, kSegmentBytes - kPageBytes, kPageBytes),
                               kSegmentFooterMagic);
      break;
    case Kind::kSealedSuperblock:
      put(kSlots, at % 48);
      seal_page<Superblock>(image.change(kSlots, 0, kPageBytes), kSuperblockMagic);
      break;
    case Kind::kCount: break;
  }
  return kind >= Kind::kSealed;
}

// ---- What is found ------------------------------------------------------------------------------

struct Read {
  std::uint64_t records = 0;
  std::uint64_t gaps = 0;
};

// To the end, which has to come. What is missing between two messages of a stream was told.
Read read(Volume& volume, LogNumber number, const RecoveredLog& log, const Image& image,
          std::optional<StreamId> stream, bool sealed) {
  LogReader reader(volume, number, stream, log, end_of(log));
  Read done;
  std::optional<Offset> next;
  for (;;) {
    CHECK_LT(done.records + done.gaps, 100'000U);
    const auto item = reader.next();
    if (!item || std::holds_alternative<AtEnd>(*item)) return done;
    if (const auto* gap = std::get_if<Gap>(&*item)) {
      ++done.gaps;
      CHECK_LE(gap->first, gap->next);
      if (gap->first < gap->next && next) next = std::max(*next, gap->next);
      continue;
    }
    const auto& record = std::get<Record>(*item);
    ++done.records;
    if (!sealed) CHECK(image.has(record.message));
    if (!stream) continue;
    if (next) CHECK_EQ(record.offset, *next);
    next = record.offset + 1;
  }
}

void check(Image& image, bool sealed, bool changed) {
  MemoryDevice device(image.drive());
  const auto verified = verify_volume(device);
  auto opened = Volume::open(std::make_unique<MemoryDevice>(image.drive()));
  const bool clean = verified && std::ranges::none_of(verified->findings, is_damage);
  CHECK(opened.has_value() || !clean);
  if (!opened) return;
  const auto recovered = recover_volume(*opened);
  CHECK(recovered.has_value() || !clean);
  if (!recovered) return;
  Read all;
  for (const auto& [number, log] : recovered->logs) {
    const Read one = read(*opened, number, log, image, std::nullopt, sealed);
    all.records += one.records;
    all.gaps += one.gaps;
    const Read odd = read(*opened, number, log, image, kOdd, sealed);
    if (clean && !sealed) CHECK_EQ(odd.gaps, 0U);
  }
  if (!changed) CHECK_EQ(all.records, image.messages());
  // A lie under a good checksum may look like what a crash leaves behind the end of a log.
  if (!clean || sealed) return;
  CHECK(std::ranges::none_of(recovered->findings, is_damage));
  CHECK_EQ(all.records, verified->total.messages);
  CHECK_EQ(all.gaps, 0U);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Image image;
  fuzz::FuzzInput input(data, size);
  const bool changed = !input.empty();
  bool sealed = false;
  for (unsigned i = 0; i < kChangesMax && !input.empty(); ++i) sealed |= damage(image, input);
  check(image, sealed, changed);
  image.restore();
  return 0;
}
