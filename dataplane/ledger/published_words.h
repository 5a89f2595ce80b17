// Words that one thread publishes and any process reads: two copies, and a sequence that says which
// one is whole. The writer fills the copy that the sequence does not point to and then moves the
// sequence: a reader that saw the same sequence before and after its copying has one consistent
// moment, even of a writer killed at any point.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

namespace penstock {

using PublishedWord = std::atomic<std::uint64_t>;

// `copies`: two of as many words, one behind the other.
inline void publish_words(PublishedWord& sequence, PublishedWord* copies,
                          std::span<const std::uint64_t> words) {
  const std::uint64_t next = sequence.load(std::memory_order_relaxed) + 1;
  // release fence: a reader that sees one of the words below also sees that its copy was given up,
  // which the sequence stored by the previous publication told.
  std::atomic_thread_fence(std::memory_order_release);
  PublishedWord* copy = copies + (next % 2) * words.size();
  for (std::size_t i = 0; i < words.size(); ++i) {
    copy[i].store(words[i], std::memory_order_relaxed);
  }
  // release: all words are visible before the sequence that points to them.
  sequence.store(next, std::memory_order_release);
}

// False: they were published anew each time that they were copied.
[[nodiscard]] inline bool copy_published(const PublishedWord& sequence, const PublishedWord* copies,
                                         std::span<std::uint64_t> words) {
  for (int attempt = 0; attempt < 100'000; ++attempt) {
    const std::uint64_t before = sequence.load(std::memory_order_acquire);
    const PublishedWord* copy = copies + (before % 2) * words.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = copy[i].load(std::memory_order_relaxed);
    }
    // acquire fence: the words were read before the sequence is read again.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (sequence.load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

}  // namespace penstock
