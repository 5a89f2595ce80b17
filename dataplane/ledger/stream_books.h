// The books of streams in the ledger file. Streams may be thousands, and come and go while the node
// runs: each has a place, which is the same in every shard's part, and each account is published by
// itself, only when it changed.
#pragma once

#include <vector>

#include "base/units.h"
#include "dataplane/ledger/account.h"
#include "dataplane/ledger/published_words.h"

namespace penstock {

inline constexpr std::size_t kStreamPlacesMax = 16384;

// One shard's account of one stream, as it lies in the file.
struct StreamBook {
  static constexpr std::size_t kWords = sizeof(MessageAccount) / sizeof(std::uint64_t);
  PublishedWord sequence;
  PublishedWord copies[2 * kWords];
};
static_assert(sizeof(StreamBook) == 8 + 2 * sizeof(MessageAccount));

// The name of a place's stream, as it lies in the file; NUL-terminated, empty where there is none.
struct StreamName {
  char text[128];
};

// The writing side of one shard. One thread.
class StreamBooks {
 public:
  StreamBooks() = default;
  explicit StreamBooks(std::span<StreamBook> file) : file_(file), accounts_(file.size()) {}

  // The account of a place. References stay good.
  [[nodiscard]] MessageAccount& at(std::size_t place) { return accounts_[place]; }
  void publish(std::size_t place);

 private:
  std::span<StreamBook> file_;
  std::vector<MessageAccount> accounts_;
};

// What a reader sees of one book; false: it is published faster than it can be copied.
[[nodiscard]] bool copy_book(const StreamBook& book, std::vector<std::uint64_t>& words);

}  // namespace penstock
