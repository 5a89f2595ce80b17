#!/bin/bash
# Installs what is missing of nic-config/packages, and only that: deps.sh [GROUP...], or all groups.
# With everything in place it needs neither root nor the network.
set -euo pipefail

list=$(dirname "$0")/packages

# Packages of the wanted groups, in the order of the list.
wanted_packages() {
  awk -v groups="$*" '
    BEGIN { count = split(groups, names, " "); for (i in names) wanted[names[i]] = 1 }
    /^\[/ { sub(/\].*/, ""); group = substr($0, 2); known[group] = 1; next }
    { sub(/#.*/, "") }
    NF && (count == 0 || group in wanted) && !seen[$1]++ { print $1 }
    END {
      for (name in wanted) if (!(name in known)) {
        printf "deps: no group [%s] in %s\n", name, FILENAME > "/dev/stderr"
        exit 2
      }
    }' "$list"
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
      grep -qx installed || echo "$package"
  done
}

if ! command -v dpkg-query >/dev/null; then
  echo "deps: this is not Debian; install what $list names by hand" >&2
  exit 1
fi
packages=$(wanted_packages "$@")
# shellcheck disable=SC2086  # one word a package
missing=$(missing_packages $packages)
if [[ -z $missing ]]; then
  exit 0
fi
if ((EUID != 0)); then
  echo "deps: missing packages, and only root can install them:" >&2
  echo "  sudo apt-get install --no-install-recommends ${missing//$'\n'/ }" >&2
  exit 1
fi

echo "deps: installing ${missing//$'\n'/ }"
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may be running on a machine that has just booted: wait for its lock.
apt_get=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt_get[@]}" update
# shellcheck disable=SC2086
"${apt_get[@]}" install --no-install-recommends $missing
