#include "control/config/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "base/units.h"

namespace penstock {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 9> kSizes{
    {{"TiB", 1024 * kGiB},
     {"GiB", kGiB},
     {"MiB", kMiB},
     {"KiB", kKiB},
     {"TB", 1'000'000'000'000},
     {"GB", 1'000'000'000},
     {"MB", 1'000'000},
     {"KB", 1'000},
     {"B", 1}}
};
constexpr std::array<Unit, 7> kTimes{
    {{"d", 86'400'000'000'000},
     {"h", 3'600'000'000'000},
     {"m", 60'000'000'000},
     {"s", 1'000'000'000},
     {"ms", 1'000'000},
     {"us", 1'000},
     {"ns", 1}}
};

Result<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                     bool bare_allowed, std::string_view like) {
  const auto refuse = [&] {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not {}", text, like));
  };
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || !std::isfinite(number) || number < 0) return refuse();
  auto rest = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  double factor = 1;
  if (!rest.empty()) {
    const auto unit = std::ranges::find(units, rest, &Unit::name);
    if (unit == units.end()) return refuse();
    factor = static_cast<double>(unit->factor);
  } else if (!bare_allowed && number != 0) {
    return refuse();
  }
  const double value = number * factor;
  if (value >= 9.2e18) return refuse();
  return static_cast<std::uint64_t>(std::llround(value));
}

std::string format_quantity(std::uint64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return fmt::format("{}", value);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, kSizes, true, "a size like \"64KiB\", \"256MiB\" or \"1TB\"");
}

Result<std::int64_t> parse_duration(std::string_view text) {
  auto nanos = parse_quantity(text, kTimes, false,
                              "a duration like \"500us\", \"2ms\", \"10s\", \"15m\" or \"7d\"");
  if (!nanos) return std::unexpected(std::move(nanos.error()));
  return static_cast<std::int64_t>(*nanos);
}

std::string format_size(std::uint64_t bytes) {
  return format_quantity(bytes, std::span(kSizes).first(4));
}

std::string format_duration(std::int64_t nanos) {
  return format_quantity(static_cast<std::uint64_t>(nanos), kTimes);
}

std::string plain_path(const std::string& path) {
  std::string plain;
  for (const char c : path) {
    if (c != '/' || !plain.ends_with('/')) plain += c;
  }
  if (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  return plain;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known) {
  // Its last part alone, as "max_bytes" of "retention.max_bytes".
  for (const std::string_view candidate : known) {
    if (candidate.ends_with(name) && candidate.size() > name.size() &&
        candidate[candidate.size() - name.size() - 1] == '.') {
      return candidate;
    }
  }
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) return nearest;
  // Begins alike, as "runtime" and "runtime_dir", "blocksize" and "block_bytes".
  std::size_t longest = std::max<std::size_t>(4, name.size() / 2) - 1;
  for (const std::string_view candidate : known) {
    const auto alike =
        static_cast<std::size_t>(std::ranges::mismatch(name, candidate).in1 - name.begin());
    if (alike > longest) {
      longest = alike;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace penstock
