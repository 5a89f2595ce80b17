#include "dataplane/ledger/ledger_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "dataplane/ledger/file_lock.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMagic = 0x52474C4B54534E50;  // "PNSTKLGR"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kAreaAlign = 64;  // areas of different threads share no cache line

// Changes whenever a field is added anywhere.
constexpr std::uint32_t kLayout = static_cast<std::uint32_t>(
    sizeof(PortAccount) * 1'000'003 + sizeof(FrameAccount) * 100'003 +
    sizeof(MessageAccount) * 10'007 + sizeof(ShardGauges) * 101 + sizeof(LogEdge) * 11 +
    sizeof(DeviceGauges) * 7 + sizeof(VolumeGauges));

// An area in the file: the sequence in a line of its own, then the two copies of the accounts.
struct AreaLayout {
  std::size_t at;
  std::size_t payload_bytes;
};
struct AreaHead {
  std::uint64_t sequence;
  std::uint64_t payload_bytes;
  std::byte pad[kAreaAlign - 16];
};
static_assert(sizeof(AreaHead) == kAreaAlign);

// Where everything lies in a file that is to be made.
struct LedgerPlan {
  std::vector<AccountEntry> entries;
  std::vector<AreaLayout> areas;
  std::size_t bytes = 0;
};

LedgerPlan plan_of(const std::vector<std::vector<AccountSpec>>& areas) {
  LedgerPlan plan;
  for (std::size_t a = 0; a < areas.size(); ++a) {
    std::size_t offset = 0;
    for (const AccountSpec& spec : areas[a]) {
      AccountEntry entry{};
      entry.kind = spec.kind;
      entry.shard = spec.shard;
      entry.area = static_cast<std::uint32_t>(a);
      entry.offset = offset;
      std::snprintf(entry.name, sizeof entry.name, "%s", spec.name.c_str());
      plan.entries.push_back(entry);
      offset += account_bytes(spec.kind);
    }
    plan.areas.push_back({0, offset});
  }
  plan.bytes =
      align_up(sizeof(LedgerHeader) + plan.entries.size() * sizeof(AccountEntry), kAreaAlign);
  for (AreaLayout& area : plan.areas) {
    area.at = plan.bytes;
    plan.bytes = align_up(plan.bytes + sizeof(AreaHead) + 2 * area.payload_bytes, kAreaAlign);
  }
  return plan;
}

// Gives `path` to the finished file; what had it before becomes PATH.previous. There is always
// a file of that name.
Result<> put_in_place(const std::string& made, const std::string& path) {
  const std::string previous = path + ".previous";
  unlink(previous.c_str());
  // The kernel may refuse a second name for another user's file: then it gets a new one.
  if (link(path.c_str(), previous.c_str()) != 0 && errno != ENOENT &&
      std::rename(path.c_str(), previous.c_str()) != 0) {
    return fail_errno(errno, "keep the earlier ledger " + path);
  }
  if (std::rename(made.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename " + made);
  return {};
}

}  // namespace

std::size_t account_bytes(AccountKind kind) {
  switch (kind) {
    case AccountKind::kPort: return sizeof(PortAccount);
    case AccountKind::kFrames: return sizeof(FrameAccount);
    case AccountKind::kDoor:
    case AccountKind::kStream:
    case AccountKind::kShard: return sizeof(MessageAccount);
    case AccountKind::kShardGauges: return sizeof(ShardGauges);
    case AccountKind::kLogEdge: return sizeof(LogEdge);
    case AccountKind::kDevice: return sizeof(DeviceGauges);
    case AccountKind::kVolume: return sizeof(VolumeGauges);
  }
  return 0;
}

void* LedgerArea::account_at(std::size_t n, std::size_t bytes) {
  CHECK_LT(n, accounts_.size());
  CHECK_EQ(accounts_[n].second, bytes);
  return reinterpret_cast<std::byte*>(local_.data()) + accounts_[n].first;
}

void LedgerArea::publish() {
  const std::uint64_t next = sequence_->load(std::memory_order_relaxed) + 1;
  // release fence: a reader that sees one of the words below also sees that its copy was given up,
  // which the sequence stored by the previous publish() told.
  std::atomic_thread_fence(std::memory_order_release);
  std::atomic<std::uint64_t>* copy = copies_ + (next % 2) * local_.size();
  for (std::size_t i = 0; i < local_.size(); ++i) {
    copy[i].store(local_[i], std::memory_order_relaxed);
  }
  // release: all words are visible before the sequence that points to them.
  sequence_->store(next, std::memory_order_release);
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::create(
    const std::string& path, const std::string& node,
    const std::vector<std::vector<AccountSpec>>& areas, UnixNanos now) {
  const LedgerPlan plan = plan_of(areas);
  const std::string making = path + ".new";
  std::unique_ptr<LedgerFile> file(new LedgerFile);
  if (auto mapped = file->map(making, plan.bytes); !mapped) {
    unlink(making.c_str());
    return std::unexpected(std::move(mapped.error()));
  }
  LedgerHeader header{};
  header.magic = kMagic;
  header.version = kVersion;
  header.layout = kLayout;
  header.started_unix_ns = now.value;
  header.pid = static_cast<std::uint64_t>(getpid());
  header.account_count = plan.entries.size();
  header.area_count = areas.size();
  std::snprintf(header.node, sizeof header.node, "%s", node.c_str());
  std::memcpy(file->map_, &header, sizeof header);
  std::memcpy(file->map_ + sizeof header, plan.entries.data(),
              plan.entries.size() * sizeof(AccountEntry));
  file->areas_.resize(areas.size());
  for (const AccountEntry& entry : plan.entries) {
    file->areas_[entry.area].accounts_.emplace_back(entry.offset, account_bytes(entry.kind));
  }
  for (std::size_t a = 0; a < areas.size(); ++a) {
    const AreaLayout& layout = plan.areas[a];
    AreaHead head{};
    head.payload_bytes = layout.payload_bytes;
    std::memcpy(file->map_ + layout.at, &head, sizeof head);
    auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(file->map_ + layout.at);
    file->areas_[a].local_.assign(layout.payload_bytes / 8, 0);
    file->areas_[a].sequence_ = words;
    file->areas_[a].copies_ = words + sizeof(AreaHead) / 8;
  }
  if (auto put = put_in_place(making, path); !put) {
    unlink(making.c_str());
    return std::unexpected(std::move(put.error()));
  }
  return file;
}

// A new file of zeros, locked and mapped.
Result<> LedgerFile::map(const std::string& path, std::size_t bytes) {
  unlink(path.c_str());  // of a daemon that was killed while it made one
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) return fail_errno(errno, "create the ledger " + path);
  if (!lock_file(fd_)) return fail_errno(errno, "lock the ledger " + path);
  // Allocated, not only sized: a full /run must fail here and not as SIGBUS in a shard.
  if (const int full = posix_fallocate(fd_, 0, static_cast<off_t>(bytes)); full != 0) {
    return fail_errno(full, "make room for the ledger " + path);
  }
  void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (map == MAP_FAILED) return fail_errno(errno, "map the ledger " + path);
  map_ = static_cast<std::byte*>(map);
  bytes_ = bytes;
  return {};
}

LedgerFile::~LedgerFile() {
  if (map_ != nullptr) munmap(map_, bytes_);
  if (fd_ >= 0) close(fd_);
}

void LedgerFile::mark_ended() {
  reinterpret_cast<std::atomic<std::uint64_t>*>(map_ + offsetof(LedgerHeader, ended))
      ->store(1, std::memory_order_release);
}

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
  if (header.magic != kMagic) return fail(Errc::kCorrupt, path + " is not a ledger");
  if (header.version != kVersion || header.layout != kLayout) {
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

// One consistent copy of an area. The writer fills the copy that the sequence does not point to, so
// a copy is good as long as the sequence has not moved; false: it moved every time.
bool copy_area(const std::byte* at, std::vector<std::uint64_t>& words) {
  const auto* sequence = reinterpret_cast<const std::atomic<std::uint64_t>*>(at);
  const auto* source = sequence + sizeof(AreaHead) / 8;
  for (int attempt = 0; attempt < 100'000; ++attempt) {
    const std::uint64_t before = sequence->load(std::memory_order_acquire);
    const auto* copy = source + (before % 2) * words.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = copy[i].load(std::memory_order_relaxed);
    }
    // acquire fence: the words were read before the sequence is read again.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (sequence->load(std::memory_order_relaxed) == before) return true;
  }
  return false;
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
    if (!copy_area(map_ + at, words)) {
      return fail(Errc::kBusy, "the ledger is published faster than it can be read; try again");
    }
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
  return result;
}

}  // namespace penstock
