// Pages of one structure and its checksum, made of a fuzzer's input.
#pragma once

#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "storage/format/page.h"
#include "tests/fuzz/fuzz_input.h"

namespace penstock::fuzz {

using Page = std::vector<std::byte>;

// Up to a page of input, zeros behind it.
[[nodiscard]] inline Page page_of(std::span<const std::byte> bytes) {
  Page page(bytes.begin(), bytes.begin() + std::min<std::ptrdiff_t>(std::ssize(bytes), kPageBytes));
  page.resize(kPageBytes);
  return page;
}

// The same with magic, version and checksum put right: what a T would be that lies about all the
// rest.
template <class T>
[[nodiscard]] Page sealed_page_of(std::span<const std::byte> bytes, std::uint64_t magic) {
  Page page = page_of(bytes.first(std::min(bytes.size(), sizeof(T))));
  encode_page(page, load<T>(page), magic);
  return page;
}

// What a page decodes to is what it was made from: no two pages are the same structure.
template <class Decode, class Encode>
void check_page(const Page& page, Decode decode, Encode encode) {
  const auto value = decode(page);
  if (!value) return;
  Page again(kPageBytes);
  encode(again, *value);
  CHECK(again == page);
}

}  // namespace penstock::fuzz
