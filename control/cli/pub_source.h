// Where `penstock pub` has its messages from: files and standard input, a line or a file a message.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace penstock {

enum class PubState : std::uint8_t {
  kMessage,
  kNothingYet,  // a pipe or terminal that has nothing now
  kEnd,
};

struct PubMessage {
  PubState state = PubState::kEnd;     // what follows is of a message
  std::span<const std::byte> payload;  // without its newline; valid until the next call
  std::string_view file;               // "-": standard input
  std::uint64_t number = 0;            // of the line in its file, from 1
};

// One thread.
class PubSource {
 public:
  // A message of more bytes than that is an error.
  static constexpr std::size_t kMessageBytesMax = std::size_t{1} << 20U;

  // `whole`: a file is one message. Without files standard input is read.
  PubSource(std::vector<std::string> files, bool whole);
  ~PubSource();
  PubSource(const PubSource&) = delete;
  PubSource& operator=(const PubSource&) = delete;

  // Waits some milliseconds at most. The error names the file.
  [[nodiscard]] Result<PubMessage> next();
  // Bytes read so far, and of all files; 0 when that is not known.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }

 private:
  [[nodiscard]] Result<bool> open_next();
  [[nodiscard]] Result<PubState> fill();
  [[nodiscard]] PubMessage message_of(std::span<const std::byte> payload) const;
  [[nodiscard]] std::span<const std::byte> take(std::size_t bytes, std::size_t newline);

  std::vector<std::string> files_;
  bool whole_;
  std::size_t next_file_ = 0;
  int descriptor_ = -1;
  bool ended_ = false;  // of the open file
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace penstock
