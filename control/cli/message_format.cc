#include "control/cli/message_format.h"

#include <array>
#include <charconv>
#include <cstring>

#include "control/cli/books_json.h"
#include "control/cli/table.h"

namespace penstock {
namespace {

constexpr std::string_view kFields = "sSRkKhutpoPQTN";

std::string_view chars_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append(fmt::memory_buffer& into, std::string_view text) {
  into.append(text.data(), text.data() + text.size());
}

// The character that an escape stands for; `at` is moved behind it.
std::optional<char> unescape(std::string_view text, std::size_t& at) {
  if (at >= text.size()) return {};
  const char c = text[at++];
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '0': return '\0';
    case '\\': return '\\';
    default: break;
  }
  if (c != 'x' || at + 2 > text.size()) return {};
  unsigned value = 0;
  const char* begin = text.data() + at;
  const auto parsed = std::from_chars(begin, begin + 2, value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != begin + 2) return {};
  at += 2;
  return static_cast<char>(value);
}

// Text as a JSON string, or in base64 under another name when it is not UTF-8.
void put_text(Json& json, const std::string& name, std::string_view text) {
  try {
    (void)Json(text).dump();  // throws
    json[name] = text;
  } catch (const Json::type_error&) {
    json[name + "_base64"] = base64(text);
  }
}

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// (u16 name length, name, u32 value length, value) repeated; ends early at one that is cut off.
std::vector<HeaderField> headers_of(const MessageView& message) {
  std::vector<HeaderField> fields;
  std::string_view rest = chars_of(message.headers);
  bool whole = true;
  const auto take = [&](auto length) -> std::string_view {
    whole = whole && rest.size() >= sizeof length;
    if (!whole) return {};
    length = load<decltype(length)>(std::as_bytes(std::span(rest)));
    rest.remove_prefix(sizeof length);
    whole = rest.size() >= length;
    const auto taken = rest.substr(0, length);
    rest.remove_prefix(taken.size());
    return taken;
  };
  while (!rest.empty()) {
    const auto name = take(std::uint16_t{});
    const auto value = take(std::uint32_t{});
    if (!whole) break;
    fields.push_back({name, value});
  }
  return fields;
}

Json headers_json(const MessageView& message) {
  Json all = Json::array();
  for (const HeaderField& field : headers_of(message)) {
    Json one = Json::object();
    put_text(one, "name", field.name);
    put_text(one, "value", field.value);
    all.push_back(std::move(one));
  }
  return all;
}

void append_headers(fmt::memory_buffer& into, const MessageView& message) {
  std::string_view comma;
  for (const HeaderField& field : headers_of(message)) {
    fmt::format_to(std::back_inserter(into), "{}{}={}", comma, field.name, field.value);
    comma = ",";
  }
}

void append_session(fmt::memory_buffer& into, const MessageView& message) {
  if (!message.producer) return;
  fmt::format_to(std::back_inserter(into), "{:016x}", message.producer->session.value);
}

void append_sequence(fmt::memory_buffer& into, const MessageView& message) {
  if (!message.producer) return;
  fmt::format_to(std::back_inserter(into), "{}", message.producer->sequence);
}

void append_length(fmt::memory_buffer& into, std::size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) into.push_back(static_cast<char>(length >> shift));
}

// C0, DEL, and C1 as UTF-8 has it (0xC2 0x80 to 0xC2 0x9F).
void append_visible(fmt::memory_buffer& into, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (c < 0x20 || c == 0x7F || (c == 0xC2 && next >= 0x80 && next < 0xA0)) {
      fmt::format_to(std::back_inserter(into), "\\x{:02X}", c);
    } else {
      into.push_back(text[i]);
    }
  }
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      word = word << 8U | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[word >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return text;
}

Result<MessageFormat> MessageFormat::parse(std::string_view text) {
  MessageFormat format;
  Part part;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '\\') {
      const auto meant = unescape(text, at);
      if (!meant) {
        return fail(
            Errc::kInvalidArgument,
            fmt::format("format '{}': unknown escape; there are \\n \\r \\t \\0 \\\\ \\xHH", text));
      }
      part.literal += *meant;
    } else if (c != '%') {
      part.literal += c;
    } else if (at < text.size() && text[at] == '%') {
      part.literal += text[at++];
    } else if (at < text.size() && kFields.find(text[at]) != std::string_view::npos) {
      part.field = text[at++];
      format.parts_.push_back(std::move(part));
      part = {};
    } else {
      return fail(Errc::kInvalidArgument,
                  fmt::format("format '{}': unknown field; there are %s %S %R %k %K %h %u %t %p "
                              "%o %P %Q %T %N %%",
                              text));
    }
  }
  format.parts_.push_back(std::move(part));
  return format;
}

void MessageFormat::write(const Record& record, std::string_view stream,
                          fmt::memory_buffer& into) const {
  const MessageView& message = record.message;
  for (const Part& part : parts_) {
    append(into, part.literal);
    switch (part.field) {
      case 's': append(into, chars_of(message.payload)); break;
      case 'S': fmt::format_to(std::back_inserter(into), "{}", message.payload.size()); break;
      case 'R': append_length(into, message.payload.size()); break;
      case 'h': append_headers(into, message); break;
      case 'k': append(into, chars_of(message.key)); break;
      case 'K': fmt::format_to(std::back_inserter(into), "{}", message.key.size()); break;
      case 'u': append(into, message.subject); break;
      case 't': append(into, stream); break;
      case 'p': fmt::format_to(std::back_inserter(into), "{}", record.log); break;
      case 'o': fmt::format_to(std::back_inserter(into), "{}", record.offset); break;
      case 'P': append_session(into, message); break;
      case 'Q': append_sequence(into, message); break;
      case 'T':
        fmt::format_to(std::back_inserter(into), "{}", message.received.value / 1'000'000);
        break;
      case 'N': fmt::format_to(std::back_inserter(into), "{}", message.received); break;
      default: break;
    }
  }
}

void write_json(const Record& record, std::string_view stream, std::string_view volume,
                fmt::memory_buffer& into) {
  const MessageView& message = record.message;
  Json json = {
      {"stream",      stream                         },
      {"log",         record.log.value               },
      {"offset",      record.offset.value            },
      {"time",        rfc3339(message.received.value)},
      {"received_ns", message.received.value         },
      {"subject",     message.subject                }
  };
  Json flags = Json::array();
  if (has_flag(message.flags, MessageFlag::kMalformed)) flags.emplace_back("malformed");
  if (has_flag(message.flags, MessageFlag::kTruncated)) flags.emplace_back("truncated");
  json["flags"] = std::move(flags);
  json["volume"] = volume;
  if (message.producer) {
    json["producer"] = fmt::format("{:016x}", message.producer->session.value);
    json["sequence"] = message.producer->sequence;
  }
  if (!message.key.empty()) put_text(json, "key", chars_of(message.key));
  if (!message.headers.empty()) json["headers"] = headers_json(message);
  put_text(json, "payload", chars_of(message.payload));
  append(into, text_of(json));
  into.push_back('\n');
}

void write_json(const Gap& gap, std::string_view volume, fmt::memory_buffer& into) {
  const Json json = {
      {"gap",    to_string(gap.kind)},
      {"volume", volume             },
      {"log",    gap.log.value      },
      {"first",  gap.first.value    },
      {"next",   gap.next.value     },
      {"what",   gap.what           }
  };
  append(into, text_of(json));
  into.push_back('\n');
}

void write_text(const Record& record, bool for_terminal, fmt::memory_buffer& into) {
  fmt::format_to(std::back_inserter(into), "{} {} ", rfc3339(record.message.received.value),
                 record.message.subject);
  const std::string_view payload = chars_of(record.message.payload);
  for_terminal ? append_visible(into, payload) : append(into, payload);
  into.push_back('\n');
}

}  // namespace penstock
