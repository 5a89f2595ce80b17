#include "base/result.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace penstock {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument: return "invalid argument";
    case Errc::kNotFound: return "not found";
    case Errc::kAlreadyExists: return "already exists";
    case Errc::kPermissionDenied: return "permission denied";
    case Errc::kBusy: return "busy";
    case Errc::kNoSpace: return "no space";
    case Errc::kIoError: return "I/O error";
    case Errc::kCorrupt: return "corrupt";
    case Errc::kUnsupportedVersion: return "unsupported version";
    case Errc::kUnavailable: return "unavailable";
  }
  return "unknown";
}

Errc errc_of(int error_number) {
  switch (error_number) {
    case EINVAL: return Errc::kInvalidArgument;
    case ENOENT: return Errc::kNotFound;
    case EEXIST: return Errc::kAlreadyExists;
    case EACCES:
    case EPERM: return Errc::kPermissionDenied;
    case EBUSY:
    case EAGAIN: return Errc::kBusy;
    case ENOSPC:
    case EDQUOT: return Errc::kNoSpace;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENODEV: return Errc::kUnavailable;
    default: return Errc::kIoError;
  }
}

std::unexpected<Error> fail_errno(int error_number, std::string what) {
  std::array<char, 128> text{};
  what += ": ";
  what += strerror_r(error_number, text.data(), text.size());
  return fail(errc_of(error_number), std::move(what));
}

}  // namespace penstock
