"""A volume as a reader sees it that was made from docs/format.md alone: the same messages that
`penstock read` gives."""

import random
import unittest

from tests.interop import format_reader
from tests.lib.cable import CableTest
from tests.lib.harness import run

STREAMS = ("logs", "urgent", "everything")
CONFIG = """
[node]
name = "{{name}}"
runtime_dir = "{{runtime}}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "lan0"
device = "net_af_packet0,iface=port0"
addresses = ["10.77.0.1/24"]
buffers = 4096
[[shard]]
[[volume]]
name = "main"
path = "{path}"
segment_bytes = "1MiB"
block_bytes = "32KiB"
memory = "2MiB"
[[door]]
name = "syslog"
kind = "syslog"
listen = ["*:514"]
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
[[stream]]
name = "logs"
subjects = ["syslog.>"]
[[stream]]
name = "urgent"
subjects = ["syslog.*.emerg.>", "syslog.*.alert.>"]
[[stream]]
name = "everything"
subjects = [">"]
"""


class Format(CableTest):
    def setUp(self):
        super().setUp()
        self.connect()

    def start(self, path="{folder}/volume"):
        return super().start(CONFIG.format(path=path))

    def send(self, node, count):
        """Messages of many subjects and lengths; some datagrams hold several."""
        source = random.Random(7)
        stored = node.total("stored")
        with self.sender.udp_socket() as sender:
            for i in range(count):
                text = f"number {i} ".encode() * source.randrange(1, 50)
                if i % 3 == 0:
                    sender.sendto(text + b"\n" + text[::-1], ("10.77.0.1", 5140))
                    stored += 2
                else:
                    head = f"<{source.randrange(192)}>1 - host{i % 5} app - - - ".encode()
                    sender.sendto(head + text, ("10.77.0.1", 514))
                    stored += 1
                if i % 100 == 99:
                    node.wait_stored(stored)  # so that none is lost on its way
        node.wait_stored(stored)
        return stored

    def expect_same(self, node, path, stored):
        volume = format_reader.Volume(path)
        self.assertEqual(sorted(volume.streams.values()), sorted(STREAMS))
        logs = list(volume.logs())
        found = {stream: [] for stream in volume.streams}
        for _, segments in logs:
            for captures, received_ns, subject, payload, producer in (
                    format_reader.messages(segments)):
                for stream, offset in captures.items():
                    whose = "%016x %d" % producer if producer else " "
                    found[stream].append(b"%d %d %s %s %d:%s,\n" % (
                        offset, received_ns, subject.encode(), whose.encode(), len(payload),
                        payload))
        for stream, name in volume.streams.items():
            shown = run_bytes(node, "read", "--stream", name, "-f", "%o %N %u %P %Q %S:%s,\\n")
            self.assertEqual(b"".join(found[stream]), shown, name)
        everything = next(s for s, name in volume.streams.items() if name == "everything")
        self.assertEqual(len(found[everything]), stored)
        return logs

    def test_directory(self):
        node = self.start()
        stored = self.send(node, 4000)
        self.assertEqual(node.drain(), 0)
        logs = self.expect_same(node, node.folder / "volume", stored)
        self.assertGreater(len(logs[0][1]), 2, "segments")

    def test_directory_after_kill(self):
        node = self.start()
        stored = self.send(node, 700)
        node.kill()
        self.expect_same(node, node.folder / "volume", stored)

    def test_raw_device(self):
        image = self.host.folder / "image"
        with open(image, "wb") as file:
            file.truncate(16 << 20)
        device = run("losetup", "--find", "--show", "--sector-size", 4096, image).stdout.strip()
        self.host.undo.callback(run, "losetup", "--detach", device, check=False)
        node = self.start(device)
        stored = self.send(node, 1500)
        self.assertEqual(node.drain(), 0)
        self.expect_same(node, device, stored)


def run_bytes(node, *words):
    return node.penstock(*words, encoding="latin-1", errors=None).stdout.encode("latin-1")


if __name__ == "__main__":
    unittest.main()
