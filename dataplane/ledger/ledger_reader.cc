// The reading side of ledger_file.h.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "dataplane/ledger/file_lock.h"
#include "dataplane/ledger/ledger_layout.h"

namespace penstock {

void AccountSnapshot::copy_to(void* into, std::size_t bytes) const {
  CHECK_EQ(words.size() * 8, bytes);
  std::memcpy(into, words.data(), bytes);
}

Result<LedgerReader> LedgerReader::open(const std::string& path) {
  LedgerReader reader;
  reader.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (reader.fd_ < 0) return fail_errno(errno, "open the ledger " + path);
  struct stat st{};
  void* map = MAP_FAILED;
  if (fstat(reader.fd_, &st) == 0 && st.st_size >= static_cast<off_t>(sizeof(LedgerHeader))) {
    reader.bytes_ = static_cast<std::size_t>(st.st_size);
    map = mmap(nullptr, reader.bytes_, PROT_READ, MAP_SHARED, reader.fd_, 0);
  }
  if (map == MAP_FAILED) {
    return fail(Errc::kCorrupt, path + " is not a ledger: too short or cannot be mapped");
  }
  reader.map_ = static_cast<const std::byte*>(map);
  LedgerHeader header{};
  std::memcpy(&header, map, sizeof header);
  if (header.magic != kLedgerMagic) return fail(Errc::kCorrupt, path + " is not a ledger");
  if (header.version != kLedgerVersion || header.layout != kLedgerLayout) {
    return fail(
        Errc::kUnsupportedVersion,
        path + " was made by another version of penstockd; use its own penstock to read it");
  }
  return reader;
}

LedgerReader::LedgerReader(LedgerReader&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      map_(std::exchange(other.map_, nullptr)),
      bytes_(other.bytes_) {}

LedgerReader::~LedgerReader() {
  if (map_ != nullptr) munmap(const_cast<std::byte*>(map_), bytes_);
  if (fd_ >= 0) close(fd_);
}

namespace {

std::unexpected<Error> too_fast() {
  return fail(Errc::kBusy, "the ledger is published faster than it can be read; try again");
}

}  // namespace

Result<std::vector<std::vector<std::uint64_t>>> LedgerReader::copy_areas(
    const LedgerHeader& header) const {
  // What the header says is believed only as far as the file can hold it.
  if (header.account_count > bytes_ / sizeof(AccountEntry) ||
      header.area_count > bytes_ / sizeof(AreaHead)) {
    return fail(Errc::kCorrupt, "the ledger is cut off");
  }
  std::size_t at =
      align_up(sizeof header + header.account_count * sizeof(AccountEntry), kAreaAlign);
  std::vector<std::vector<std::uint64_t>> areas(header.area_count);
  for (auto& words : areas) {
    if (at + sizeof(AreaHead) > bytes_) return fail(Errc::kCorrupt, "the ledger is cut off");
    AreaHead head{};
    std::memcpy(&head, map_ + at, sizeof head);
    if (head.payload_bytes > (bytes_ - at - sizeof head) / 2) {
      return fail(Errc::kCorrupt, "the ledger is cut off");
    }
    words.resize(head.payload_bytes / 8);
    const auto* sequence = reinterpret_cast<const PublishedWord*>(map_ + at);
    if (!copy_published(*sequence, sequence + sizeof(AreaHead) / 8, words)) return too_fast();
    at = align_up(at + sizeof head + 2 * head.payload_bytes, kAreaAlign);
  }
  return areas;
}

Result<LedgerSnapshot> LedgerReader::snapshot() const {
  LedgerHeader header{};
  std::memcpy(&header, map_, sizeof header);
  LedgerSnapshot result;
  result.node.assign(header.node, strnlen(header.node, sizeof header.node));
  result.pid = header.pid;
  result.alive = header.ended == 0 && is_file_locked(fd_);
  result.ended = header.ended != 0;
  result.started = UnixNanos(header.started_unix_ns);
  auto areas = copy_areas(header);
  if (!areas) return std::unexpected(std::move(areas.error()));
  for (std::size_t i = 0; i < header.account_count; ++i) {
    AccountEntry entry{};
    std::memcpy(&entry, map_ + sizeof header + i * sizeof entry, sizeof entry);
    const std::size_t bytes = account_bytes(entry.kind);
    if (bytes == 0 || entry.area >= areas->size() || entry.offset > bytes_ ||
        entry.offset + bytes > (*areas)[entry.area].size() * 8) {
      return fail(Errc::kCorrupt, "the ledger's directory is damaged");
    }
    const auto* first = (*areas)[entry.area].data() + entry.offset / 8;
    result.accounts.push_back({entry.kind, entry.shard,
                               std::string(entry.name, strnlen(entry.name, sizeof entry.name)),
                               std::vector<std::uint64_t>(first, first + bytes / 8)});
  }
  if (auto taken = take_streams(header, result); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  return result;
}

Result<> LedgerReader::take_streams(const LedgerHeader& header, LedgerSnapshot& into) const {
  const StreamLayout layout{
      .at = header.streams_at, .places = header.stream_places, .shards = header.area_count - 1};
  if (header.area_count == 0 || layout.places > kStreamPlacesMax || layout.at > bytes_ ||
      layout.at % kAreaAlign != 0 || layout.end() > bytes_) {
    return fail(Errc::kCorrupt, "the ledger is cut off");
  }
  const auto* names = reinterpret_cast<const StreamName*>(map_ + layout.at);
  for (std::size_t shard = 0; shard < layout.shards; ++shard) {
    const auto* books = reinterpret_cast<const StreamBook*>(map_ + layout.books_at(shard));
    for (std::size_t place = 0; place < layout.places; ++place) {
      // A name is there as a whole when its first byte is. The reference is to read only.
      auto& name = const_cast<StreamName&>(names[place]);
      if (std::atomic_ref(name.text[0]).load(std::memory_order_acquire) == '\0') continue;
      AccountSnapshot account{.kind = AccountKind::kStream,
                              .shard = static_cast<std::uint16_t>(shard),
                              .name = std::string(name.text, strnlen(name.text, sizeof name.text)),
                              .words = {}};
      if (!copy_book(books[place], account.words)) return too_fast();
      into.accounts.push_back(std::move(account));
    }
  }
  return {};
}

}  // namespace penstock
