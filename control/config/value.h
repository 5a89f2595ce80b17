// How sizes and times are written in a configuration and on the command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock {

// "4096", "64KiB", "1.5GiB", "100MB": bytes. The error says which units there are.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// "500us", "2ms", "1.5s", "10m", "24h", "7d": nanoseconds, not negative.
[[nodiscard]] Result<std::int64_t> parse_duration(std::string_view text);

// The shortest exact form that parse_size() and parse_duration() read back: "256MiB", "2ms", "0".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
[[nodiscard]] std::string format_duration(std::int64_t nanos);

// A path as it is compared with others: without doubled slashes and one at its end. (What
// ".." means depends on links.)
[[nodiscard]] std::string plain_path(const std::string& path);

// The known name that `name` was most likely meant to be, or empty when none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view name,
                                            std::span<const std::string_view> known);

}  // namespace penstock
