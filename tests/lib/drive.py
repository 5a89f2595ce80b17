"""Block devices with a storage daemon behind them, which logs, fails or delays what is written."""

import json
import socket
import struct
import subprocess

from tests.lib.harness import run, wait_until

SECTOR = 512
LOG_MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


class Drive:
    """A loop device over a file that a storage daemon exports. `layers` are the daemon's block
    nodes from the file `disk` up to the node `top`; {log} stands for a file of its own. The image
    is kept: another drive of the same name goes on with it."""

    def __init__(self, host, megabytes, layers, name="drive"):
        self.image = host.folder / f"{name}.image"
        self.log = host.folder / f"{name}.log"
        self.log.write_bytes(b"")
        with open(self.image, "ab") as file:
            file.truncate(megabytes << 20)
        self.export = host.folder / f"{name}.export"
        self.export.write_bytes(b"")
        self.monitor = host.folder / f"{name}.monitor"
        words = [word.format(log=self.log) for word in layers]
        self.daemon = host.start(
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=disk,filename={self.image},cache.direct=on",
            *words,
            "--chardev", f"socket,id=m,path={self.monitor},server=on,wait=off",
            "--monitor", "chardev=m",
            "--export", f"type=fuse,id=e,node-name=top,mountpoint={self.export},writable=on",
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: self.export.stat().st_size > 0, "the exported drive",
                   process=self.daemon)
        # Not --direct-io: over FUSE the kernel then puts merged writes in each other's place
        # (fio finds so).
        self.device = run("losetup", "--find", "--show", self.export).stdout.strip()
        host.undo.callback(self.close)
        self.closed = False

    def limit(self, group, bytes_per_second):
        """How fast the throttle group lets writes through from now on; 0: as fast as may be."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.monitor))
            said = monitor.makefile("r")
            said.readline()  # the greeting
            for command, arguments in (
                    ("qmp_capabilities", {}),
                    ("qom-set", {"path": f"/objects/{group}", "property": "limits",
                                 "value": {"bps-write": bytes_per_second}})):
                monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
                answer = json.loads(said.readline())
                if "return" not in answer:
                    raise AssertionError(f"{command}: {answer}")

    def close(self):
        if self.closed:
            return
        self.closed = True
        run("losetup", "--detach", self.device, check=False)
        self.daemon.terminate()
        self.daemon.wait()
        # A daemon that was killed leaves its export behind.
        run("umount", "--lazy", self.export, check=False)


def loop_device(host, path, *options):
    device = run("losetup", "--find", "--show", *options, path).stdout.strip()
    host.undo.callback(run, "losetup", "--detach", device, check=False)
    return device


class WriteLog:
    """What reached the drive, in order, as the driver blklogwrites keeps it (the format of
    dm-log-writes)."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, _, _, self.sector_bytes = struct.unpack_from("<QQQI", data)
        if magic != LOG_MAGIC:
            raise AssertionError(f"{path} is no log of writes")
        self.entries = []  # flags, byte offset, contents
        at = self.sector_bytes
        while at + 32 <= len(data):
            sector, count, flags, _ = struct.unpack_from("<QQQQ", data, at)
            at += self.sector_bytes
            length = 0 if flags & DISCARD else count * self.sector_bytes
            if (sector, count, flags) == (0, 0, 0) or at + length > len(data):
                break  # it ends here
            self.entries.append((flags, sector * self.sector_bytes, data[at:at + length]))
            at += length

    def last_flush(self):
        """How many entries there are up to the last one that made those before it stable."""
        return max((i + 1 for i, (flags, _, _) in enumerate(self.entries) if flags & FLUSH),
                   default=0)

    def write_image(self, path, megabytes, entries):
        """The drive with only these entries on it."""
        with open(path, "wb") as file:
            file.truncate(megabytes << 20)
            for _, offset, contents in entries:
                file.seek(offset)
                file.write(contents)
