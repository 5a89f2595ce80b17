#include "control/cli/pub_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 18U;
constexpr int kWaitMs = 20;

}  // namespace

PubSource::PubSource(std::vector<std::string> files, bool whole)
    : files_(std::move(files)), whole_(whole), buffer_(2 * kReadBytes) {
  if (files_.empty()) files_.emplace_back("-");
  for (const std::string& file : files_) {
    struct stat facts{};
    if (file == "-" || stat(file.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
      bytes_total_ = 0;
      return;
    }
    bytes_total_ += static_cast<std::uint64_t>(facts.st_size);
  }
}

PubSource::~PubSource() {
  if (descriptor_ > 0) close(descriptor_);
}

Result<bool> PubSource::open_next() {
  if (next_file_ == files_.size()) return false;
  const std::string& file = files_[next_file_++];
  descriptor_ = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) return fail_errno(errno, fmt::format("open {}", file));
  ended_ = false;
  line_ = 0;
  return true;
}

// Reads on: kMessage when something came.
Result<PubState> PubSource::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const std::string& file = files_[next_file_ - 1];
  if (end_ > kMessageBytesMax) {
    return fail(Errc::kInvalidArgument,
                fmt::format("{}:{}: a message of more than {} bytes; no frame takes it", file,
                            line_ + 1, kMessageBytesMax));
  }
  if (buffer_.size() - end_ < kReadBytes) buffer_.resize(buffer_.size() + kReadBytes);
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, kWaitMs) <= 0) return PubState::kNothingYet;
  const ssize_t got = read(descriptor_, buffer_.data() + end_, kReadBytes);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return PubState::kNothingYet;
  if (got < 0) return fail_errno(errno, fmt::format("read {}", file));
  end_ += static_cast<std::size_t>(got);
  bytes_read_ += static_cast<std::uint64_t>(got);
  return got > 0 ? PubState::kMessage : PubState::kEnd;
}

std::span<const std::byte> PubSource::take(std::size_t bytes, std::size_t newline) {
  const auto taken = std::span(buffer_).subspan(begin_, bytes);
  begin_ += bytes + newline;
  ++line_;
  return taken;
}

PubMessage PubSource::message_of(std::span<const std::byte> payload) const {
  return {.state = PubState::kMessage,
          .payload = payload,
          .file = files_[next_file_ - 1],
          .number = line_};
}

Result<PubMessage> PubSource::next() {
  while (true) {
    if (descriptor_ < 0) {
      auto opened = open_next();
      if (!opened) return std::unexpected(std::move(opened.error()));
      if (!*opened) return PubMessage{};
    }
    const auto* newline = whole_ || begin_ == end_
                              ? nullptr
                              : static_cast<const std::byte*>(
                                    std::memchr(buffer_.data() + begin_, '\n', end_ - begin_));
    if (newline != nullptr) {
      const auto length = static_cast<std::size_t>(newline - (buffer_.data() + begin_));
      return message_of(take(length, 1));
    }
    if (!ended_) {
      auto more = fill();
      if (!more) return std::unexpected(std::move(more.error()));
      if (*more == PubState::kNothingYet) return PubMessage{.state = PubState::kNothingYet};
      ended_ = *more == PubState::kEnd;
      continue;
    }
    // The rest of a file that does not end in a newline is a line too.
    const std::size_t rest = end_ - begin_;
    const bool is_message = whole_ || rest > 0;
    if (descriptor_ > 0) close(descriptor_);
    descriptor_ = -1;
    if (is_message) return message_of(take(rest, 0));
  }
}

}  // namespace penstock
