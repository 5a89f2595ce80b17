#include "dataplane/ledger/ledger_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::uint64_t kMagic = 0x52474C4B54534E50;  // "PNSTKLGR"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kAreaAlign = 64;  // areas of different threads share no cache line

// Changes whenever a field is added anywhere.
constexpr std::uint32_t kLayout = static_cast<std::uint32_t>(
    sizeof(PortAccount) * 1'000'003 + sizeof(MessageAccount) * 10'007 + sizeof(ShardGauges) * 101 +
    sizeof(LogEdge) * 11 + sizeof(DeviceGauges) * 7 + sizeof(VolumeGauges));

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

// Also when it belongs to another user.
bool is_there(pid_t pid) { return kill(pid, 0) == 0 || errno == EPERM; }

}  // namespace

std::size_t account_bytes(AccountKind kind) {
  switch (kind) {
    case AccountKind::kPort: return sizeof(PortAccount);
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
  std::vector<AccountEntry> entries;
  std::vector<AreaLayout> layouts;
  std::size_t at = sizeof(LedgerHeader);
  for (std::size_t a = 0; a < areas.size(); ++a) {
    std::size_t offset = 0;
    for (const AccountSpec& spec : areas[a]) {
      AccountEntry entry{};
      entry.kind = spec.kind;
      entry.shard = spec.shard;
      entry.area = static_cast<std::uint32_t>(a);
      entry.offset = offset;
      std::snprintf(entry.name, sizeof entry.name, "%s", spec.name.c_str());
      entries.push_back(entry);
      offset += account_bytes(spec.kind);
    }
    layouts.push_back({0, offset});
  }
  at = align_up(at + entries.size() * sizeof(AccountEntry), kAreaAlign);
  for (AreaLayout& layout : layouts) {
    layout.at = at;
    at = align_up(at + sizeof(AreaHead) + 2 * layout.payload_bytes, kAreaAlign);
  }

  if (std::rename(path.c_str(), (path + ".previous").c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, "keep the earlier ledger " + path);
  }
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno(errno, "create the ledger " + path);
  void* map = MAP_FAILED;
  // Allocated, not only sized: a full /run must fail here and not as SIGBUS in a shard.
  const int full = posix_fallocate(fd, 0, static_cast<off_t>(at));
  if (full == 0) map = mmap(nullptr, at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  const int error = full != 0 ? full : errno;
  close(fd);
  if (map == MAP_FAILED) return fail_errno(error, "map the ledger " + path);

  std::unique_ptr<LedgerFile> file(new LedgerFile);
  file->map_ = static_cast<std::byte*>(map);
  file->bytes_ = at;
  LedgerHeader header{};
  header.version = kVersion;
  header.layout = kLayout;
  header.started_unix_ns = now.value;
  header.pid = static_cast<std::uint64_t>(getpid());
  header.account_count = entries.size();
  header.area_count = areas.size();
  std::snprintf(header.node, sizeof header.node, "%s", node.c_str());
  std::memcpy(file->map_, &header, sizeof header);
  std::memcpy(file->map_ + sizeof header, entries.data(), entries.size() * sizeof(AccountEntry));

  file->areas_.resize(areas.size());
  std::size_t entry = 0;
  for (std::size_t a = 0; a < areas.size(); ++a) {
    LedgerArea& area = file->areas_[a];
    area.local_.assign(layouts[a].payload_bytes / 8, 0);
    for (std::size_t i = 0; i < areas[a].size(); ++i, ++entry) {
      area.accounts_.emplace_back(entries[entry].offset, account_bytes(entries[entry].kind));
    }
    AreaHead head{};
    head.payload_bytes = layouts[a].payload_bytes;
    std::memcpy(file->map_ + layouts[a].at, &head, sizeof head);
    auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(file->map_ + layouts[a].at);
    area.sequence_ = words;
    area.copies_ = words + sizeof(AreaHead) / 8;
  }
  // release: a reader that sees the magic sees all of the above.
  reinterpret_cast<std::atomic<std::uint64_t>*>(file->map_)
      ->store(kMagic, std::memory_order_release);
  return file;
}

LedgerFile::~LedgerFile() {
  if (map_ != nullptr) munmap(map_, bytes_);
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
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "open the ledger " + path);
  struct stat st{};
  void* map = MAP_FAILED;
  if (fstat(fd, &st) == 0 && st.st_size >= static_cast<off_t>(sizeof(LedgerHeader))) {
    map = mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (map == MAP_FAILED) {
    return fail(Errc::kCorrupt, path + " is not a ledger: too short or cannot be mapped");
  }
  LedgerReader reader(static_cast<const std::byte*>(map), static_cast<std::size_t>(st.st_size));
  LedgerHeader header{};
  // acquire: pairs with the store of the magic in create().
  const auto magic =
      reinterpret_cast<const std::atomic<std::uint64_t>*>(map)->load(std::memory_order_acquire);
  std::memcpy(&header, map, sizeof header);
  if (magic != kMagic) return fail(Errc::kCorrupt, path + " is not a ledger");
  if (header.version != kVersion || header.layout != kLayout) {
    return fail(
        Errc::kUnsupportedVersion,
        path + " was made by another version of penstockd; use its own penstock to read it");
  }
  return reader;
}

LedgerReader::LedgerReader(LedgerReader&& other) noexcept : map_(other.map_), bytes_(other.bytes_) {
  other.map_ = nullptr;
}

LedgerReader::~LedgerReader() {
  if (map_ != nullptr) munmap(const_cast<std::byte*>(map_), bytes_);
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

Result<LedgerSnapshot> LedgerReader::snapshot() const {
  LedgerHeader header{};
  std::memcpy(&header, map_, sizeof header);
  LedgerSnapshot result;
  result.node.assign(header.node, strnlen(header.node, sizeof header.node));
  result.pid = header.pid;
  result.alive = header.ended == 0 && is_there(static_cast<pid_t>(header.pid));
  result.ended = header.ended != 0;
  result.started = UnixNanos(header.started_unix_ns);

  std::size_t at =
      align_up(sizeof header + header.account_count * sizeof(AccountEntry), kAreaAlign);
  std::vector<std::vector<std::uint64_t>> areas(header.area_count);
  for (auto& words : areas) {
    if (at + sizeof(AreaHead) > bytes_) return fail(Errc::kCorrupt, "the ledger is cut off");
    AreaHead head{};
    std::memcpy(&head, map_ + at, sizeof head);
    if (2 * head.payload_bytes > bytes_ - at - sizeof head) {
      return fail(Errc::kCorrupt, "the ledger is cut off");
    }
    words.resize(head.payload_bytes / 8);
    if (!copy_area(map_ + at, words)) {
      return fail(Errc::kBusy, "the ledger is published faster than it can be read; try again");
    }
    at = align_up(at + sizeof head + 2 * head.payload_bytes, kAreaAlign);
  }
  for (std::size_t i = 0; i < header.account_count; ++i) {
    AccountEntry entry{};
    std::memcpy(&entry, map_ + sizeof header + i * sizeof entry, sizeof entry);
    const std::size_t bytes = account_bytes(entry.kind);
    if (entry.area >= areas.size() || entry.offset + bytes > areas[entry.area].size() * 8) {
      return fail(Errc::kCorrupt, "the ledger's directory is damaged");
    }
    const auto* first = areas[entry.area].data() + entry.offset / 8;
    result.accounts.push_back({entry.kind, entry.shard,
                               std::string(entry.name, strnlen(entry.name, sizeof entry.name)),
                               std::vector<std::uint64_t>(first, first + bytes / 8)});
  }
  return result;
}

}  // namespace penstock
