// The ledger in shared memory: a file that penstockd maps and writes, and any other process may map
// and read, without either knowing of the other. It outlives its daemon, so that the books of a
// crashed one can be read.
//
//   LedgerHeader | AccountEntry * account_count | area | area | ...
//   | StreamName * stream_places | StreamBook * stream_places of shard 0 | ... of shard 1 | ...
//
// An area belongs to one writing thread and is published as a whole (published_words.h): a reader
// sees one consistent moment of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "dataplane/ledger/account.h"
#include "dataplane/ledger/stream_books.h"

namespace penstock {

enum class AccountKind : std::uint16_t {
  kPort = 1,  // PortAccount of one shard's queue
  kDoor,      // MessageAccount
  kStream,    // MessageAccount; has a place of its own instead of one in an area
  kShard,     // MessageAccount
  kShardGauges,
  kLogEdge,  // name: the volume's path
  kDevice,   // DeviceGauges
  kVolume,   // VolumeGauges
  kFrames,   // FrameAccount of a door that speaks PDP
};
[[nodiscard]] std::size_t account_bytes(AccountKind kind);

inline constexpr std::uint16_t kControlArea = 0;  // area of the control thread; shard i has area 1
                                                  // + i
inline constexpr std::uint16_t kNoShard = 0xFFFF;

struct AccountEntry {
  AccountKind kind;
  std::uint16_t shard;  // kNoShard in the control area
  std::uint32_t area;
  std::uint64_t offset;  // of the account within its area's payload
  char name[112];        // of the port, door, stream or volume; NUL-terminated
};
static_assert(sizeof(AccountEntry) == 128);

struct LedgerHeader {
  std::uint64_t magic;  // "PNSTKLGR"
  std::uint32_t version;
  std::uint32_t layout;  // of the accounts: another number, another reader
  std::int64_t started_unix_ns;
  std::uint64_t pid;
  std::uint64_t account_count;
  std::uint64_t area_count;
  std::uint64_t stream_places;
  std::uint64_t streams_at;  // bytes from the start of the file
  std::uint64_t ended;       // 1: the daemon drained and ended in order
  char node[64];
};

// What a ledger is to hold.
struct AccountSpec {
  AccountKind kind;
  std::uint16_t shard;
  std::string name;
};

// The streams that there are, by their places, and how many there is room for.
struct StreamPlaces {
  std::vector<std::string> names;
  std::size_t most;
};

// The writing side of one area. One thread. Accounts are references into private memory; publish()
// copies them all to the shared file.
class LedgerArea {
 public:
  // The n-th account of the area, as it was specified; T must be its struct.
  template <class T>
  [[nodiscard]] T& account(std::size_t n) {
    return *static_cast<T*>(account_at(n, sizeof(T)));
  }
  void publish();

 private:
  friend class LedgerFile;
  [[nodiscard]] void* account_at(std::size_t n, std::size_t bytes);

  std::vector<std::uint64_t> local_;
  std::vector<std::pair<std::size_t, std::size_t>> accounts_;  // offset and bytes in local_
  PublishedWord* sequence_ = nullptr;                          // in the file
  PublishedWord* copies_ = nullptr;                            // in the file: two of local_.size()
};

// Made by the daemon. Owns the mapping and holds the file's lock, which tells readers that it is
// alive; the file stays.
class LedgerFile {
 public:
  // `areas[i]` lists the accounts of area i, of which each but the first is a shard's and has books
  // of the streams besides. The file appears whole or not at all; one of that name
  // from an earlier daemon is kept as PATH.previous. One process at a time may have ledgers at
  // PATH: the caller sees to that.
  [[nodiscard]] static Result<std::unique_ptr<LedgerFile>> create(
      const std::string& path, const std::string& node,
      const std::vector<std::vector<AccountSpec>>& areas, const StreamPlaces& streams,
      UnixNanos now);
  ~LedgerFile();
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  [[nodiscard]] LedgerArea& area(std::size_t i) { return areas_[i]; }
  [[nodiscard]] StreamBooks& streams(std::size_t shard) { return streams_[shard]; }
  // Names the stream of a place that had none; before a shard counts there.
  void name_stream(std::size_t place, std::string_view name);
  void mark_ended();

 private:
  LedgerFile() = default;
  [[nodiscard]] Result<> map(const std::string& path, std::size_t bytes);

  int fd_ = -1;  // open for its lock
  std::byte* map_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<LedgerArea> areas_;
  std::span<StreamName> names_;  // in the file
  std::vector<StreamBooks> streams_;
};

// A copy of one account.
struct AccountSnapshot {
  AccountKind kind;
  std::uint16_t shard;
  std::string name;
  std::vector<std::uint64_t> words;

  template <class T>
  [[nodiscard]] T as() const {
    T value;
    copy_to(&value, sizeof value);
    return value;
  }

 private:
  void copy_to(void* into, std::size_t bytes) const;
};

struct LedgerSnapshot {
  std::string node;
  std::uint64_t pid = 0;
  bool alive = false;  // its daemon runs
  bool ended = false;  // it ended in order
  UnixNanos started;
  std::vector<AccountSnapshot> accounts;
};

// The reading side, in any process.
class LedgerReader {
 public:
  // kNotFound: no daemon has run here; kUnsupportedVersion: made by another version of Penstock.
  [[nodiscard]] static Result<LedgerReader> open(const std::string& path);
  LedgerReader(LedgerReader&& other) noexcept;
  LedgerReader& operator=(LedgerReader&&) = delete;
  ~LedgerReader();

  // Each area is one consistent moment. kBusy when it is published faster than it can be copied.
  [[nodiscard]] Result<LedgerSnapshot> snapshot() const;

 private:
  LedgerReader() = default;
  [[nodiscard]] Result<std::vector<std::vector<std::uint64_t>>> copy_areas(
      const LedgerHeader& header) const;
  [[nodiscard]] Result<> take_streams(const LedgerHeader& header, LedgerSnapshot& into) const;

  int fd_ = -1;  // open to ask for its lock
  const std::byte* map_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace penstock
