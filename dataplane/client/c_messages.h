// From the messages of the C interface to those of the producer.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "dataplane/client/batcher.h"
#include "dataplane/client/penstock.h"

namespace penstock::client {

// A structure of a caller who may know fewer fields, or more: what a shorter one lacks counts as
// zero. False: it is NULL or does not say its size.
template <class T>
[[nodiscard]] bool known_copy(const T* from, T& into) {
  if (from == nullptr || from->size < sizeof from->size) return false;
  into = {};
  std::memcpy(&into, from, std::min(from->size, sizeof into));
  return true;
}

// `into` becomes a view of the message, but for its headers: they are encoded behind what `headers`
// has, which may move that. Anything but PENSTOCK_OK: the message is wrong, `headers` as before.
[[nodiscard]] penstock_err_t view_message(const penstock_message_t& message, OfferedMessage& into,
                                          std::vector<std::byte>& headers);

// The messages of a penstock_produce_batch(), which lie as far apart as the caller's version of the
// structure is long.
class CallersBatch {
 public:
  // `first` and what is behind it outlive this.
  CallersBatch(penstock_batch_message_t* first, std::size_t count);
  // NULL, or too short for an error.
  [[nodiscard]] bool is_none() const { return step_ == 0; }
  // False: it is not as long as the first one.
  [[nodiscard]] bool read(std::size_t index, const char* subject, penstock_message_t& into) const;
  void set_error(std::size_t index, penstock_err_t error) const;
  void set_errors_from(std::size_t index, penstock_err_t error) const {
    for (; index < count_; ++index) set_error(index, error);
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::byte* at_;
  std::size_t count_;
  std::size_t step_;
};

}  // namespace penstock::client
