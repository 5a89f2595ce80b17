// Errors are values. A function that can fail in operation returns Result<T>; a bug trips CHECK.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace penstock {

// What kind of failure it is: the caller branches on this, people read Error::what.
enum class Errc : std::uint8_t {
  kInvalidArgument,     // the caller's input is wrong; `what` names the thing and the remedy
  kNotFound,            // a named thing does not exist
  kAlreadyExists,       // a thing to be made is there already
  kPermissionDenied,    // the process may not do it
  kBusy,                // somebody else holds it (a volume's lock, a device)
  kNoSpace,             // the drive or a bounded table is full
  kIoError,             // the drive, the kernel or the network failed
  kCorrupt,             // bytes are not what their checksum or their place says
  kUnsupportedVersion,  // made by another format version: refused, left untouched
  kUnavailable,         // not now: a peer, a device or the kernel does not offer it
};

[[nodiscard]] std::string_view to_string(Errc code);

struct [[nodiscard]] Error {
  Errc code;
  std::string what;  // names the thing, the place and, where there is one, the way out
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string what) {
  return std::unexpected(Error{code, std::move(what)});
}

// As fail(), with the text of an errno appended: "open /x: No such file or directory".
[[nodiscard]] std::unexpected<Error> fail_errno(int error_number, std::string what);

// The kind that an errno belongs to.
[[nodiscard]] Errc errc_of(int error_number);

}  // namespace penstock
