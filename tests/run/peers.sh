#!/bin/bash
# Brings a program of another maker that Debian will not install beside rsyslog: syslog-ng, with its
# load generator. peers.sh FOLDER unpacks it and the libraries it needs there, and leaves
# FOLDER/bin/syslog-ng and FOLDER/bin/loggen.
set -euo pipefail

folder=$1
root=$folder/syslog-ng
export DEBIAN_FRONTEND=noninteractive

# The machine's own, where it has been installed.
use_installed() {
  ln -s "$(command -v syslog-ng)" "$(command -v loggen)" "$folder/bin/"
}

# What installing it would bring on this machine; nothing is installed or removed.
packages() {
  apt-get -s --no-install-recommends install syslog-ng-core 2>/dev/null |
    awk '/^Inst / { print $2 }'
}

download() {
  # shellcheck disable=SC2046  # one word a package
  (cd "$root/packages" && apt-get -q -o APT::Sandbox::User=root download $(packages))
}

# A launcher: the unpacked libraries come first, and modules and plugins are looked for beside them.
launcher() {
  local program=$1
  shift
  cat >"$folder/bin/$(basename "$program")" <<END
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")/../syslog-ng
export SYSLOGNG_PREFIX="\$root/usr"
machine=$(uname -m)-linux-gnu
export LD_LIBRARY_PATH="\$root/usr/lib/\$machine:\$root/usr/lib/syslog-ng:\$root/lib/\$machine"
exec "\$root$program" $* "\$@"
END
  chmod +x "$folder/bin/$(basename "$program")"
}

rm -rf "${root:?}" "${folder:?}/bin"
mkdir -p "$root/packages" "$folder/bin"
if command -v syslog-ng loggen >/dev/null; then
  use_installed
  echo "peers: syslog-ng and loggen are installed"
  exit 0
fi
# Package lists may be missing or stale: refresh them only then.
download || { apt-get -q update && download; }
for package in "$root"/packages/*.deb; do
  dpkg -x "$package" "$root"
done
launcher /usr/bin/loggen
modules=$(find "$root/usr/lib/syslog-ng" -name 'libaffile.so' -printf '%h\n' | head -1)
# shellcheck disable=SC2016  # $root is the launcher's
launcher /usr/sbin/syslog-ng '--module-path "$root'"${modules#"$root"}"'"'

for program in loggen syslog-ng; do
  if ! "$folder/bin/$program" --help >"$root/$program.help" 2>&1; then
    echo "peers: $program does not start:" >&2
    cat "$root/$program.help" >&2
    exit 1
  fi
done
echo "peers: syslog-ng and loggen are in $folder/bin"
