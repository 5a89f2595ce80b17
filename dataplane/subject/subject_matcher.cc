#include "dataplane/subject/subject_matcher.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>

#include "base/check.h"

namespace penstock {
namespace {

// The tree as it grows.
struct Branch {
  std::map<std::string, std::uint32_t, std::less<>> children;  // by token, `*` among them
  std::vector<std::uint32_t> here;
  std::vector<std::uint32_t> below;
};

std::vector<Branch> grow(std::span<const SubjectMatcher::Entry> entries) {
  std::vector<Branch> branches(1);
  for (const auto& [filter, value] : entries) {
    std::uint32_t at = 0;
    std::string_view rest = filter.text();
    for (bool more = true; more;) {
      const std::string_view token = take_token(rest, more);
      if (token == ">") {
        branches[at].below.push_back(value);
        break;
      }
      const auto size = static_cast<std::uint32_t>(branches.size());
      const auto [child, fresh] = branches[at].children.try_emplace(std::string(token), size);
      at = child->second;
      if (fresh) branches.emplace_back();
      if (!more) branches[at].here.push_back(value);
    }
  }
  return branches;
}

}  // namespace

SubjectMatcher::SubjectMatcher(std::span<const Entry> entries, Rng& rng)
    : secret_(make_hash_secret(rng)) {
  build(entries);
}

void SubjectMatcher::build(std::span<const Entry> entries) {
  const std::vector<Branch> branches = grow(entries);
  nodes_.resize(branches.size());
  edges_.resize(std::bit_ceil(2 * branches.size()));
  const auto keep = [&](const std::vector<std::uint32_t>& values) {
    const auto count = static_cast<std::uint32_t>(values.size());
    if (count == 1) return Values{count, values.front()};
    const auto begin = static_cast<std::uint32_t>(values_.size());
    values_.insert(values_.end(), values.begin(), values.end());
    return Values{count, begin};
  };
  for (std::uint32_t number = 0; number < branches.size(); ++number) {
    const Branch& branch = branches[number];
    Node& node = nodes_[number];
    node.here = keep(branch.here);
    node.below = keep(branch.below);
    for (const auto& [token, child] : branch.children) {
      if (token == "*") {
        node.any = child;
        continue;
      }
      const std::uint64_t hashed = hash_of(token);
      std::size_t at = place_of(number, hashed);
      while (edges_[at].child != kNone) at = (at + 1) & (edges_.size() - 1);
      edges_[at] = {.node = number,
                    .child = child,
                    .text = static_cast<std::uint32_t>(text_.size()),
                    .length = static_cast<std::uint16_t>(token.size()),
                    .tag = tag_of(hashed)};
      text_.insert(text_.end(), token.begin(), token.end());
    }
  }
}

std::size_t SubjectMatcher::split(std::string_view subject,
                                  std::array<Token, kSubjectTokensMax>& into) const {
  std::size_t count = 0;
  for (bool more = true; more;) {
    const std::string_view token = take_token(subject, more);
    CHECK_LT(count, into.size());
    into[count++] = {.text = token, .hash = hash_of(token)};
  }
  return count;
}

std::uint32_t SubjectMatcher::find(std::uint32_t node, const Token& token) const {
  const std::uint16_t tag = tag_of(token.hash);
  for (std::size_t at = place_of(node, token.hash);; at = (at + 1) & (edges_.size() - 1)) {
    const Edge& edge = edges_[at];
    if (edge.child == kNone) return kNone;
    if (edge.node == node && edge.tag == tag && edge.length == token.text.size() &&
        std::memcmp(text_.data() + edge.text, token.text.data(), token.text.size()) == 0) {
      return edge.child;
    }
  }
}

std::size_t SubjectMatcher::memory_bytes() const {
  return nodes_.size() * sizeof(Node) + edges_.size() * sizeof(Edge) + text_.size() +
         values_.size() * sizeof(std::uint32_t);
}

}  // namespace penstock
