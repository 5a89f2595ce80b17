#include "dataplane/ledger/stream_books.h"

#include <array>
#include <cstring>

namespace penstock {

void StreamBooks::publish(std::size_t place) {
  std::array<std::uint64_t, StreamBook::kWords> words;
  std::memcpy(words.data(), &accounts_[place], sizeof(MessageAccount));
  publish_words(file_[place].sequence, file_[place].copies, words);
}

bool copy_book(const StreamBook& book, std::vector<std::uint64_t>& words) {
  words.resize(StreamBook::kWords);
  return copy_published(book.sequence, book.copies, words);
}

}  // namespace penstock
