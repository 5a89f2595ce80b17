#include "dataplane/ledger/ledger_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "dataplane/ledger/file_lock.h"
#include "dataplane/ledger/ledger_layout.h"

namespace penstock {
namespace {

// Where everything lies in a file that is to be made.
struct LedgerPlan {
  std::vector<AccountEntry> entries;
  std::vector<AreaLayout> areas;
  StreamLayout streams;
  std::size_t bytes = 0;
};

LedgerPlan plan_of(const std::vector<std::vector<AccountSpec>>& areas, std::size_t places) {
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
  plan.streams = {.at = plan.bytes, .places = places, .shards = areas.size() - 1};
  plan.bytes = plan.streams.end();
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
    case AccountKind::kShard: return sizeof(MessageAccount);
    case AccountKind::kStream: return 0;
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

void LedgerArea::publish() { publish_words(*sequence_, copies_, local_); }

Result<std::unique_ptr<LedgerFile>> LedgerFile::create(
    const std::string& path, const std::string& node,
    const std::vector<std::vector<AccountSpec>>& areas, const StreamPlaces& streams,
    UnixNanos now) {
  CHECK(!areas.empty());
  CHECK_LE(streams.names.size(), streams.most);
  const LedgerPlan plan = plan_of(areas, streams.most);
  const std::string making = path + ".new";
  std::unique_ptr<LedgerFile> file(new LedgerFile);
  if (auto mapped = file->map(making, plan.bytes); !mapped) {
    unlink(making.c_str());
    return std::unexpected(std::move(mapped.error()));
  }
  LedgerHeader header{};
  header.magic = kLedgerMagic;
  header.version = kLedgerVersion;
  header.layout = kLedgerLayout;
  header.started_unix_ns = now.value;
  header.pid = static_cast<std::uint64_t>(getpid());
  header.account_count = plan.entries.size();
  header.area_count = areas.size();
  header.stream_places = streams.most;
  header.streams_at = plan.streams.at;
  std::snprintf(header.node, sizeof header.node, "%s", node.c_str());
  std::memcpy(file->map_, &header, sizeof header);
  std::ranges::copy(plan.entries, reinterpret_cast<AccountEntry*>(file->map_ + sizeof header));
  file->areas_.resize(areas.size());
  for (const AccountEntry& entry : plan.entries) {
    file->areas_[entry.area].accounts_.emplace_back(entry.offset, account_bytes(entry.kind));
  }
  for (std::size_t a = 0; a < areas.size(); ++a) {
    const AreaLayout& layout = plan.areas[a];
    AreaHead head{};
    head.payload_bytes = layout.payload_bytes;
    std::memcpy(file->map_ + layout.at, &head, sizeof head);
    auto* words = reinterpret_cast<PublishedWord*>(file->map_ + layout.at);
    file->areas_[a].local_.assign(layout.payload_bytes / 8, 0);
    file->areas_[a].sequence_ = words;
    file->areas_[a].copies_ = words + sizeof(AreaHead) / 8;
  }
  auto* names = reinterpret_cast<StreamName*>(file->map_ + plan.streams.at);
  file->names_ = std::span(names, streams.most);
  for (std::size_t i = 0; i < streams.names.size(); ++i) file->name_stream(i, streams.names[i]);
  for (std::size_t shard = 0; shard < plan.streams.shards; ++shard) {
    auto* books = reinterpret_cast<StreamBook*>(file->map_ + plan.streams.books_at(shard));
    file->streams_.emplace_back(std::span(books, streams.most));
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

// Its first byte comes last: a reader sees the whole name or none.
void LedgerFile::name_stream(std::size_t place, std::string_view name) {
  CHECK_LT(place, names_.size());
  CHECK(!name.empty() && name.size() < sizeof(StreamName));
  char* text = names_[place].text;
  std::ranges::copy(name.substr(1), text + 1);
  std::atomic_ref(*text).store(name.front(), std::memory_order_release);
}

void LedgerFile::mark_ended() {
  reinterpret_cast<std::atomic<std::uint64_t>*>(map_ + offsetof(LedgerHeader, ended))
      ->store(1, std::memory_order_release);
}

}  // namespace penstock
