"""Volumes as a host has them: raw devices, several at once, full, slow, foreign, and taken."""

import json
import os
import pathlib
import subprocess
import unittest

from tests.lib.harness import BUILD, Host, Node, run, wait_until

CONFIG = """
[node]
name = "{{name}}"
runtime_dir = "{{runtime}}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "mem0"
device = "net_memif0,role=server,socket={{folder}}/memif.sock,socket-abstract=no"
addresses = ["10.78.0.1/24"]
[[shard]]
volume = "main"
{more_shards}
[[volume]]
name = "main"
path = "{path}"
segment_bytes = "8MiB"
memory = "MEMORY"
{volume}
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
"""


def config(path="{folder}/volume", volume="", more_shards="", memory="24MiB"):
    return CONFIG.replace("MEMORY", memory).format(path=path, volume=volume,
                                                   more_shards=more_shards)


def blast_command(node, *options):
    return [BUILD / "penstock-blast", "--device",
            f"net_memif1,role=client,socket={node.folder}/memif.sock,socket-abstract=no",
            "--to", "10.78.0.1:5140", "--json", *options]


def blast(host, node, *options, wait=True):
    """Sends over memif; with `wait` gives the exact counts."""
    command = blast_command(node, *options)
    if not wait:
        return host.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(run(*command, timeout=120).stdout)


def numbers_of(payloads):
    return [int(payload[:16], 16) for payload in payloads]


class VolumeTest(unittest.TestCase):
    def setUp(self):
        self.host = Host("volume")
        self.addCleanup(self.host.close)

    def loop_device(self, megabytes, block_bytes=4096):
        image = self.host.folder / "image"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        device = run("losetup", "--find", "--show", "--sector-size", block_bytes,
                     image).stdout.strip()
        self.host.undo.callback(run, "losetup", "--detach", device, check=False)
        return device

    def mounted(self, megabytes, kind="ext4"):
        device = self.loop_device(megabytes)
        run(f"mkfs.{kind}", "-q", device)
        folder = self.host.folder / "mounted"
        folder.mkdir()
        run("mount", device, folder)
        self.host.undo.callback(run, "umount", "--lazy", folder, check=False)
        return folder

    def expect_balanced(self, node):
        ledger = node.ledger()
        self.assertTrue(ledger["balanced"], ledger["imbalances"])
        return ledger


class Kinds(VolumeTest):
    def check(self, text):
        node = Node(self.host, text).start()
        sent = blast(self.host, node, "--size", 200, "--count", 50000, "--rate", 200000)
        node.wait_stored(sent["messages"])
        self.assertEqual(node.drain(), 0)
        self.expect_balanced(node)
        self.assertEqual(numbers_of(node.payloads()), list(range(sent["messages"])))
        self.assertTrue(node.json("verify")["clean"])
        return node

    def test_raw_block_device(self):
        self.check(config(self.loop_device(64)))

    def test_raw_device_with_sectors_of_512_bytes(self):
        self.check(config(self.loop_device(64, 512)))

    def test_flush_durability(self):
        self.check(config(volume='durability = "flush"'))

    def test_xfs(self):
        self.check(config(self.mounted(400, "xfs")))

    def test_two_volumes_and_two_shards(self):
        node = Node(self.host, config(
            more_shards='[[shard]]\nvolume = "other"',
            volume='[[volume]]\nname = "other"\npath = "{folder}/other"\nsegment_bytes = "8MiB"\n'
                   'memory = "2MiB"'))
        text = node.config.read_text()
        node.config.write_text(text.replace('addresses = ["10.78.0.1/24"]',
                                            'addresses = ["10.78.0.1/24"]\nshards = [1]')
                               + '\n[[port]]\nname = "idle"\nshards = [0]\nbuffers = 4096\n'
                                 f'device = "net_memif1,role=server,socket={node.folder}/idle.sock,'
                                 'socket-abstract=no"\n')
        node.start()
        sent = blast(self.host, node, "--size", 200, "--count", 200000, "--rate", 200000,
                     "--linger", 1)
        node.wait_stored(sent["messages"])
        node.drain()
        volumes = {v["volume"]: v["total"]["messages"] for v in node.json("verify")["volumes"]}
        self.assertEqual(volumes[str(node.folder / "other")], sent["messages"])
        self.assertEqual(len(node.payloads()), sent["messages"])

    def test_null_volume_keeps_nothing_and_counts_all(self):
        node = Node(self.host, config(volume='kind = "null"')).start()
        sent = blast(self.host, node, "--size", 64, "--count", 100000)
        node.wait_stored(sent["messages"])
        self.assertEqual(node.drain(), 0)


class Limits(VolumeTest):
    def test_limits_of_the_process_are_said_and_kill_nobody(self):
        node = Node(self.host, config())
        node.wrapper = ["prlimit", "--fsize=6000000"]  # the head fits, a segment does not
        node.start()
        self.assertIn("File too large", node.log.read_text())
        self.assertEqual(node.drain(), 0)
        other = Node(self.host, config(), "other")
        other.wrapper = ["prlimit", "--memlock=0:0", "setpriv", "--reuid=65534", "--regid=65534",
                         "--clear-groups", "--bounding-set=-all"]
        os.chmod(self.host.folder, 0o755)
        for place in (other.folder, other.runtime):
            os.chown(place, 65534, 65534)
        other.start(wait=False)
        self.assertEqual(other.process.wait(timeout=30), 1)
        self.assertIn("raise RLIMIT_MEMLOCK", other.log.read_text())

    def test_retention_by_bytes_recycles_segments(self):
        node = Node(self.host, config(volume='retention.max_bytes = "32MiB"')).start()
        sent = blast(self.host, node, "--size", 1000, "--count", 200000, "--rate", 200000)
        wait_until(lambda: node.total("stored") + node.total("dropped") >= sent["messages"],
                   "all accounted for", process=node.process)
        segments = node.json("segment", "list")
        self.assertLessEqual(len(segments), 6)
        self.assertGreater(segments[0]["segment"], 1)
        # The oldest are gone: a reader from the beginning is told so.
        first = node.penstock("read", "--stream", "all", "-o", "0", "-c", "1")
        self.assertIn("trimmed", first.stderr)
        self.assertEqual(node.drain(), 0)
        self.assertTrue(node.json("verify")["clean"])


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")


class Refusals(VolumeTest):
    def start_refused(self, node):
        node.start(wait=False)
        code = node.process.wait(timeout=30)
        self.assertEqual(code, 1)
        return node.log.read_text()

    def test_second_daemon_on_a_volume_refuses(self):
        node = Node(self.host, config()).start()
        other = Node(self.host, config(node.folder / "volume"), name="other")
        self.assertIn("another process has it open", self.start_refused(other))
        self.assertEqual(node.drain(), 0)

    def test_second_daemon_on_a_raw_device_refuses(self):
        device = self.loop_device(64)
        node = Node(self.host, config(device)).start()
        other = Node(self.host, config(device), name="other")
        self.assertIn("in use", self.start_refused(other))
        self.assertEqual(node.drain(), 0)

    def test_another_format_is_refused_and_left_untouched(self):
        node = Node(self.host, config()).start()
        node.drain()
        head = node.folder / "volume" / "volume"
        for version in (1, 3):
            page = bytearray(head.read_bytes()[:4096])
            page[12:16] = version.to_bytes(4, "little")
            page[8:12] = b"\0\0\0\0"
            page[8:12] = crc32c(bytes(page)).to_bytes(4, "little")
            with open(head, "r+b") as file:
                file.write(page)
            before = head.read_bytes()
            self.assertIn(f"format version {version}", self.start_refused(node))
            self.assertEqual(head.read_bytes(), before)
            shown = node.penstock("verify", check=False)
            self.assertEqual(shown.returncode, 3, "not checked")
            self.assertIn(f"format version {version}", shown.stderr)

    def test_device_with_foreign_contents_is_refused_and_left_untouched(self):
        device = self.loop_device(64)
        run("mkfs.ext4", "-q", device)
        image = self.host.folder / "image"
        before = image.read_bytes()
        self.start_refused(Node(self.host, config(device)))
        self.assertEqual(image.read_bytes(), before)

    def test_volume_without_its_head_is_not_taken_for_blank(self):
        node = Node(self.host, config()).start()
        blast(self.host, node, "--size", 100, "--count", 10)
        node.wait_stored(10)
        node.drain()
        volume = node.folder / "volume"
        head = (volume / "volume").read_bytes()
        (volume / "volume").unlink()
        self.assertIn("is lost", self.start_refused(node))
        self.assertEqual(node.penstock("verify", check=False).returncode, 1, "damage")
        (volume / "volume").write_bytes(head)
        self.assertEqual(len(node.payloads()), 10)

    def test_device_that_has_shrunk_is_refused_and_left_untouched(self):
        device = self.loop_device(64)
        node = Node(self.host, config(device)).start()
        sent = blast(self.host, node, "--size", 1000, "--count", 5000, "--rate", 100000)
        node.wait_stored(sent["messages"])
        self.assertEqual(node.drain(), 0)
        image = self.host.folder / "image"
        for megabytes, refused in ((48, True), (64, False), (80, False)):
            os.truncate(image, megabytes << 20)
            run("losetup", "--set-capacity", device)
            before = image.read_bytes()
            if refused:
                shown = self.start_refused(node)
                self.assertIn(f"{device}: the device has {48 << 20} bytes and had {64 << 20} when",
                              shown)
                self.assertEqual(image.read_bytes(), before)
                verified = node.penstock("verify", check=False)
                self.assertEqual(verified.returncode, 1)
                self.assertIn("shorter than when the volume was made", verified.stdout)
            else:
                self.assertEqual(node.start().drain(), 0)
            self.assertEqual(len(node.payloads()), sent["messages"])

    def test_foreign_directory_is_refused_and_left_untouched(self):
        node = Node(self.host, config())
        folder = node.folder / "volume"
        folder.mkdir()
        (folder / "thesis.doc").write_text("mine")
        self.assertIn("thesis.doc", self.start_refused(node))
        self.assertEqual([entry.name for entry in folder.iterdir()], ["thesis.doc"])

    def test_missing_device_does_not_become_a_directory(self):
        refused = self.start_refused(Node(self.host, config("/dev/penstock-none")))
        self.assertIn("no device /dev/penstock-none", refused)
        self.assertFalse(os.path.exists("/dev/penstock-none"))

    def test_damage_is_located_and_never_read_as_data(self):
        node = Node(self.host, config()).start()
        blast(self.host, node, "--size", 1000, "--count", 5000, "--rate", 100000)
        node.wait_stored(5000)
        node.drain()
        path = node.folder / "volume" / "segment-000000"
        with open(path, "r+b") as file:
            file.seek(1_000_000)
            byte = file.read(1)[0]
            file.seek(1_000_000)
            file.write(bytes([byte ^ 1]))
            os.fsync(file.fileno())
        verified = node.penstock("verify", "--format", "json", check=False)
        self.assertEqual(verified.returncode, 1)
        findings = [f for f in json.loads(verified.stdout)["volumes"][0]["findings"] if f["damage"]]
        self.assertTrue(any(f["slot"] == 0 and f["offset"] <= 1_000_000 < f["offset"] + f["bytes"]
                            for f in findings), findings)
        shown = node.penstock("read", "--stream", "all", "-f", "%s\\n", check=False)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("corrupt", shown.stderr)
        numbers = [int(line[:16], 16) for line in shown.stdout.splitlines()]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertTrue(set(numbers) < set(range(5000)))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


if __name__ == "__main__":
    unittest.main()
