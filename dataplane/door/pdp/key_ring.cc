#include "dataplane/door/pdp/key_ring.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace penstock::pdp {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::size_t kHexDigits = 2 * sizeof(ProducerKey);

// The next word of a line, which is taken off it; empty at the end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// Of a hexadecimal digit; 16 or more of anything else.
unsigned digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const auto lower = static_cast<unsigned char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10U : 16U;
}

bool parse_key(std::string_view hex, ProducerKey& key) {
  if (hex.size() != kHexDigits) return false;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const unsigned high = digit_of(hex[2 * i]);
    const unsigned low = digit_of(hex[2 * i + 1]);
    if (high > 15 || low > 15) return false;
    key[i] = static_cast<std::byte>(high << 4U | low);
  }
  return true;
}

std::unexpected<Error> bad_line(std::string_view origin, std::size_t line, std::string_view what) {
  return fail(Errc::kInvalidArgument, fmt::format("{}:{}: {}", origin, line, what));
}

// Text that is a secret: gone from memory when it is no longer needed.
struct SecretText {
  SecretText() = default;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  std::string bytes;
};

std::unexpected<Error> cannot_open(int error, const std::string& path) {
  auto failed = fail_errno(error, "open " + path);
  std::string what = failed.error().what;
  if (error == ENOENT) {
    what += fmt::format(
        "; it has to be there, with lines of `NAME HEX`: `openssl rand -hex {}` "
        "makes a key",
        sizeof(ProducerKey));
  } else if (error == EACCES) {
    what += "; the user that runs this has to be able to read it, others should not";
  }
  return fail(failed.error().code, std::move(what));
}

// All of a regular file of at most kKeyFileBytesMax.
Result<> read_all(int fd, const struct stat& status, const std::string& path, SecretText& text) {
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::kInvalidArgument, path + " is no regular file; keys are read from one");
  }
  if (static_cast<std::uint64_t>(status.st_size) > kKeyFileBytesMax) {
    return fail(Errc::kInvalidArgument, fmt::format("{} has {} bytes, at most {}; it has to be a "
                                                    "file of keys, lines of `NAME HEX`",
                                                    path, status.st_size, kKeyFileBytesMax));
  }
  text.bytes.resize(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < text.bytes.size()) {
    const ssize_t got = ::read(fd, text.bytes.data() + done, text.bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read " + path);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.bytes.resize(done);
  return {};
}

}  // namespace

Result<KeyRing> KeyRing::parse(std::string_view text, std::string_view origin) {
  KeyRing ring;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string_view name = take_word(line);
    if (name.empty()) continue;
    if (!is_name(name)) {
      return bad_line(origin, number,
                      fmt::format("a name has 1 to {} printable ASCII characters without spaces; "
                                  "choose another",
                                  kNameBytesMax));
    }
    NamedKey key{.name = std::string(name), .key = {}, .line = number};
    // Words are not repeated in problems: in a line that is wrong any of them may be the secret.
    if (!parse_key(take_word(line), key.key)) {
      return bad_line(
          origin, number,
          fmt::format("no {} hexadecimal digits behind the name; `openssl rand -hex {}` "
                      "makes a key",
                      kHexDigits, sizeof(ProducerKey)));
    }
    if (!take_word(line).empty()) {
      return bad_line(origin, number, "something follows the key; a comment begins with #");
    }
    if (ring.size() == kKeysMax) {
      return bad_line(origin, number,
                      fmt::format("more than {} keys; several producers can share one", kKeysMax));
    }
    ring.keys_.push_back(std::move(key));
  }
  std::ranges::sort(ring.keys_, {}, [](const NamedKey& key) {
    return std::pair<std::string_view, std::size_t>(key.name, key.line);
  });
  const auto twice = std::ranges::adjacent_find(ring.keys_, {}, &NamedKey::name);
  if (twice != ring.keys_.end()) {
    return bad_line(origin, std::next(twice)->line,
                    fmt::format("a key of this name is in line {} already; remove one of the two",
                                twice->line));
  }
  return ring;
}

const ProducerKey* KeyRing::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(keys_, name, {}, &NamedKey::name);
  return found == keys_.end() || found->name != name ? nullptr : &found->key;
}

Result<KeyFile> read_key_file(const std::string& path) {
  // Not to be kept waiting by what is no file.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return cannot_open(errno, path);
  struct stat status{};
  SecretText text;
  Result<> done = ::fstat(fd, &status) == 0 ? read_all(fd, status, path, text)
                                            : Result<>(fail_errno(errno, "stat " + path));
  ::close(fd);
  if (!done) return std::unexpected(std::move(done.error()));
  auto keys = KeyRing::parse(text.bytes, path);
  if (!keys) return std::unexpected(std::move(keys.error()));
  KeyFile file{.keys = std::move(*keys), .warning = {}};
  if ((status.st_mode & S_IROTH) != 0) {
    file.warning = fmt::format("everybody on this host can read {}; chmod o-r it", path);
  }
  return file;
}

}  // namespace penstock::pdp
