// Columns for people: numbers to the right, grouped by thousands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // With a line for the heads and one for each row, each ended by a newline.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> heads_;
  std::vector<std::vector<std::string>> rows_;
};

// "12,345,678"
[[nodiscard]] std::string grouped(std::uint64_t number);

// "1.2 GB", "340 MB": decimal, as drives and networks are sold.
[[nodiscard]] std::string short_bytes(double bytes);

// "2026-11-23T19:21:32.640123456Z" (RFC 3339).
[[nodiscard]] std::string rfc3339(std::int64_t unix_nanos);

}  // namespace penstock
