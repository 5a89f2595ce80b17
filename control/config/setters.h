// How a value of the file becomes a member of a configuration struct, with its bounds.
#pragma once

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/keys.h"
#include "control/config/value.h"

namespace penstock {

// No name, path or device has one; a NUL would cut it short unseen.
inline bool has_control_character(const std::string& text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

template <class T>
SetKey<T> set_text(std::string T::* member) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const auto value = node.value_exact<std::string>();
    if (!value) return "must be a string in quotes";
    if (has_control_character(*value)) return "has a control character; remove it";
    into.*member = *value;
    return {};
  };
}

template <class T>
SetKey<T> set_texts(std::vector<std::string> T::* member) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const toml::array* array = node.as_array();
    if (array == nullptr) return "must be a list of strings: [\"...\"]";
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::string>();
      if (!value) return "must be a list of strings: [\"...\"]";
      if (has_control_character(*value)) return "has a control character; remove it";
      texts.push_back(*value);
    }
    into.*member = std::move(texts);
    return {};
  };
}

template <class T>
SetKey<T> set_flag(bool T::* member) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const auto value = node.value_exact<bool>();
    if (!value) return "must be true or false";
    into.*member = *value;
    return {};
  };
}

template <class T, class N>
SetKey<T> set_number(N T::* member, std::int64_t least, std::int64_t most) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < least || *value > most) {
      return fmt::format("must be a whole number from {} to {}", least, most);
    }
    into.*member = static_cast<N>(*value);
    return {};
  };
}

template <class T>
SetKey<T> set_numbers(std::vector<unsigned> T::* member, std::int64_t most) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const toml::array* array = node.as_array();
    auto refusal = fmt::format("must be a list of whole numbers from 0 to {}: [0, 1]", most);
    if (array == nullptr) return refusal;
    std::vector<unsigned> numbers;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::int64_t>();
      if (!value || *value < 0 || *value > most) return refusal;
      numbers.push_back(static_cast<unsigned>(*value));
    }
    into.*member = std::move(numbers);
    return {};
  };
}

// Of a struct, or of a struct within it: `get` leads to the member.
template <class T, class Get>
SetKey<T> set_size_at(Get get, std::uint64_t least, std::uint64_t most) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    std::uint64_t bytes = 0;
    if (const auto number = node.value_exact<std::int64_t>(); number && *number >= 0) {
      bytes = static_cast<std::uint64_t>(*number);
    } else if (const auto text = node.value_exact<std::string>()) {
      const auto parsed = parse_size(*text);
      if (!parsed) return parsed.error().what;
      bytes = *parsed;
    } else {
      return "must be a size: \"256MiB\", or a number of bytes";
    }
    if (bytes < least || bytes > most) {
      return fmt::format("must be from {} to {}", format_size(least), format_size(most));
    }
    auto& member = get(into);
    member = static_cast<std::remove_reference_t<decltype(member)>>(bytes);
    return {};
  };
}

template <class T, class N>
SetKey<T> set_size(N T::* member, std::uint64_t least, std::uint64_t most) {
  return set_size_at<T>([=](T& into) -> N& { return into.*member; }, least, most);
}

template <class T, class Get>
SetKey<T> set_duration_at(Get get, std::int64_t least, std::int64_t most) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    const auto text = node.value_exact<std::string>();
    if (!text) return "must be a duration in quotes: \"2ms\", \"10s\", \"7d\"";
    const auto nanos = parse_duration(*text);
    if (!nanos) return nanos.error().what;
    if (*nanos < least || *nanos > most) {
      return fmt::format("must be from {} to {}", format_duration(least), format_duration(most));
    }
    get(into) = *nanos;
    return {};
  };
}

template <class T>
SetKey<T> set_duration(std::int64_t T::* member, std::int64_t least, std::int64_t most) {
  return set_duration_at<T>([=](T& into) -> std::int64_t& { return into.*member; }, least, most);
}

template <class T, class E>
SetKey<T> set_choice(E T::* member, std::vector<std::pair<std::string, E>> choices) {
  return [=](T& into, const toml::node& node) -> std::optional<std::string> {
    std::vector<std::string> names;
    const auto text = node.value_exact<std::string>();
    for (const auto& [name, choice] : choices) {
      if (text == name) {
        into.*member = choice;
        return {};
      }
      names.push_back('"' + name + '"');
    }
    return fmt::format("must be one of {}", fmt::join(names, ", "));
  };
}

}  // namespace penstock
