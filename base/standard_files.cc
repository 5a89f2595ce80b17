#include "base/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

namespace penstock {

void open_missing_standard_files() {
  // open() gives the lowest free number, so they come in order.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) return;
  }
}

}  // namespace penstock
