// Which of many filters match a subject.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "storage/format/subject.h"
#include "storage/read/subject_filter.h"

namespace penstock {

// A tree of tokens. Its time depends on the subject and on how many filters share its beginning by
// wildcards, not on how many filters there are. Immutable once made: any number of threads.
class SubjectMatcher {
 public:
  struct Entry {
    SubjectFilter filter;
    std::uint32_t value;  // what the filter stands for
  };
  SubjectMatcher(std::span<const Entry> entries, Rng& rng);

  // Calls take(value) for every filter that matches, in no order; one value may come from several
  // filters. The subject is valid.
  template <class Take>
  void match(std::string_view subject, Take&& take) const {
    std::array<Token, kSubjectTokensMax> tokens;
    const std::size_t count = split(subject, tokens);
    // Nodes that a wildcard leads to wait here: at most one for each token.
    std::array<Place, kSubjectTokensMax + 1> waiting;
    std::size_t left = 0;
    waiting[left++] = {.node = kRoot, .depth = 0};
    while (left > 0) {
      Place at = waiting[--left];
      for (;;) {
        const Node& node = nodes_[at.node];
        if (at.depth == count) {
          for (const std::uint32_t value : all_of(node.here)) take(value);
          break;
        }
        for (const std::uint32_t value : all_of(node.below)) take(value);
        const std::uint32_t child = find(at.node, tokens[at.depth]);
        if (node.any != kNone && child != kNone) {
          waiting[left++] = {.node = node.any, .depth = at.depth + 1};
        }
        const std::uint32_t next = child != kNone ? child : node.any;
        if (next == kNone) break;
        at = {.node = next, .depth = at.depth + 1};
      }
    }
  }

  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kRoot = 0;
  static constexpr std::uint32_t kNone = 0;  // the root is nobody's child

  struct Token {
    std::string_view text;
    std::uint64_t hash;
  };
  struct Place {
    std::uint32_t node;
    std::size_t depth;  // tokens before it
  };
  struct Values {
    std::uint32_t count = 0;
    std::uint32_t first = 0;  // the only one itself, or where they begin in values_
  };
  struct Node {
    std::uint32_t any = kNone;  // behind `*`
    Values here;                // of filters that end here
    Values below;               // ... that end here with `>`
  };
  // From a node by a token to its child. Open addressing; never more than half full.
  struct Edge {
    std::uint32_t node = 0;
    std::uint32_t child = kNone;  // kNone: empty
    std::uint32_t text = 0;       // where the token begins in text_
    std::uint16_t length = 0;
    std::uint16_t tag = 0;  // of the hash: most others are told apart by it
  };

  void build(std::span<const Entry> entries);
  [[nodiscard]] std::size_t split(std::string_view subject,
                                  std::array<Token, kSubjectTokensMax>& into) const;
  [[nodiscard]] std::uint64_t hash_of(std::string_view token) const {
    return hash(std::as_bytes(std::span(token)), secret_);
  }
  [[nodiscard]] static std::uint16_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint16_t>(hash);
  }
  [[nodiscard]] std::size_t place_of(std::uint32_t node, std::uint64_t hash) const {
    return fold(hash ^ node, secret_[0]) & (edges_.size() - 1);
  }
  [[nodiscard]] std::uint32_t find(std::uint32_t node, const Token& token) const;
  [[nodiscard]] std::span<const std::uint32_t> all_of(const Values& values) const {
    if (values.count == 1) return {&values.first, 1};
    return std::span(values_).subspan(values.first, values.count);
  }

  HashSecret secret_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<char> text_;
  std::vector<std::uint32_t> values_;
};

}  // namespace penstock
