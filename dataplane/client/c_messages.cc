#include "dataplane/client/c_messages.h"

#include <bit>

namespace penstock::client {
namespace {

std::span<const std::byte> bytes_of(const void* at, std::size_t bytes) {
  return {static_cast<const std::byte*>(at), at == nullptr ? 0 : bytes};
}

bool is_whole(const void* at, std::size_t bytes) { return at != nullptr || bytes == 0; }

// Whether all is there that the message counts.
bool is_whole(const penstock_message_t& message) {
  if (message.subject == nullptr || !is_whole(message.payload, message.payload_bytes) ||
      !is_whole(message.key, message.key_bytes) ||
      !is_whole(message.headers, message.header_count)) {
    return false;
  }
  return std::ranges::all_of(
      std::span(message.headers, message.header_count), [](const penstock_header_t& header) {
        return header.name != nullptr && is_whole(header.value, header.value_bytes);
      });
}

// As a message has them (storage/format/message.h); false: a name or all of them are too long.
bool encode_headers(const penstock_message_t& message, std::vector<std::byte>& into) {
  constexpr std::size_t kMax = 65'535;
  const std::size_t begin = into.size();
  for (std::size_t i = 0; i < message.header_count; ++i) {
    const penstock_header_t& header = message.headers[i];
    const std::size_t name_bytes = std::strlen(header.name);
    const auto value = bytes_of(header.value, header.value_bytes);
    if (name_bytes > kMax || value.size() > kMax ||
        into.size() - begin + name_bytes + value.size() + 6 > kMax) {
      into.resize(begin);
      return false;
    }
    const auto name_length = static_cast<std::uint16_t>(name_bytes);
    const auto value_length = static_cast<std::uint32_t>(value.size());
    const auto add = [&](const void* at, std::size_t bytes) {
      const auto* from = static_cast<const std::byte*>(at);
      into.insert(into.end(), from, from + bytes);
    };
    add(&name_length, sizeof name_length);
    add(header.name, name_bytes);
    add(&value_length, sizeof value_length);
    add(value.data(), value.size());
  }
  return true;
}

}  // namespace

penstock_err_t view_message(const penstock_message_t& message, OfferedMessage& into,
                            std::vector<std::byte>& headers) {
  if (!is_whole(message)) return PENSTOCK_ERR_INVALID;
  if (!encode_headers(message, headers)) return PENSTOCK_ERR_BAD_FIELD;
  into = {
      .message = {.subject = message.subject,
                  .key = bytes_of(message.key, message.key_bytes),
                  .headers = {},
                  .payload = bytes_of(message.payload, message.payload_bytes)},
      .opaque = std::bit_cast<std::uint64_t>(message.opaque)
  };
  return PENSTOCK_OK;
}

CallersBatch::CallersBatch(penstock_batch_message_t* first, std::size_t count)
    : at_(reinterpret_cast<std::byte*>(first)),
      count_(count),
      step_(first == nullptr || first->size < sizeof *first ? 0 : first->size) {}

bool CallersBatch::read(std::size_t index, const char* subject, penstock_message_t& into) const {
  const auto message =
      load<penstock_batch_message_t>(std::span(at_, step_ * count_), index * step_);
  into = {.size = sizeof into,
          .subject = subject,
          .payload = message.payload,
          .payload_bytes = message.payload_bytes,
          .key = message.key,
          .key_bytes = message.key_bytes,
          .headers = message.headers,
          .header_count = message.header_count,
          .opaque = message.opaque};
  return message.size == step_;
}

void CallersBatch::set_error(std::size_t index, penstock_err_t error) const {
  store(std::span(at_, step_ * count_), index * step_ + offsetof(penstock_batch_message_t, err),
        error);
}

}  // namespace penstock::client
