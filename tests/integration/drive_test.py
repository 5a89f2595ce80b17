"""What reaches the drive, and when: a storage daemon behind the volume logs every write and flush,
fails at a chosen place, or is slower than the wire."""

import os
import random
import subprocess
import unittest

from tests.integration.volume_test import VolumeTest, blast, config, numbers_of, resident_bytes
from tests.lib.drive import Drive, WriteLog, loop_device
from tests.lib.harness import Node, figure, wait_until

MEGABYTES = 48
LOGGED = ("--blockdev", "driver=file,node-name=log,filename={log}",
          "--blockdev", "driver=blklogwrites,node-name=top,file=disk,log=log")
SOUND = ("--blockdev", "driver=raw,node-name=top,file=disk")
FLUSHES_BEFORE = 50
ROUNDS = 3
SEED = int(os.environ.get("PENSTOCK_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))


class DriveTest(VolumeTest):
    def drive(self, layers, name="drive"):
        if not os.path.exists("/dev/fuse"):
            self.skipTest("no FUSE here")
        return Drive(self.host, MEGABYTES, layers, name)

    def gauges(self, node):
        return node.ledger()["gauges"][0]


class PowerCut(DriveTest):
    """The node is killed, and of its writes only those exist that a flush made stable, with some
    of the others: everything that its books called stored is on such a drive."""

    def cut(self, name, durability, moments):
        drive = self.drive(LOGGED, name)
        node = Node(self.host, config(drive.device, volume=f'durability = "{durability}"'), name)
        node.start()
        sender = blast(self.host, node, "--size", 1000, "--rate", 4000, "--seconds", 120,
                       wait=False)
        wanted = moments.randrange(500, 4000)
        wait_until(lambda: node.total("stored") >= wanted, "stored", process=node.process)
        node.kill()
        log = WriteLog(drive.log)
        sender.kill()
        stored = node.total("stored")
        stable = log.last_flush()
        unstable = [entry for entry in log.entries[stable:] if moments.random() < 0.5]
        image = self.host.folder / f"{name}.cut"
        log.write_image(image, MEGABYTES, log.entries[:stable] + unstable)
        other = Node(self.host, config(loop_device(self.host, image)), f"{name}-after")
        after, before = numbers_of(other.payloads()), numbers_of(node.payloads())
        self.assertGreaterEqual(len(after), stored, f"{stable} of {len(log.entries)} entries")
        self.assertTrue(after == before[:len(after)] or before == after[:len(before)])
        self.assertEqual(after, sorted(set(after)))
        self.assertTrue(other.json("verify")["clean"])

    def cut_again_and_again(self, durability):
        moments = random.Random(SEED)
        with figure(f"power_cuts_of_the_real_node_{durability}") as cuts:
            for number in range(ROUNDS):
                cuts.cases += 1
                try:
                    self.cut(f"{durability}{number}", durability, moments)
                except BaseException:
                    print(f"again: PENSTOCK_CRASH_SEED={SEED}")
                    raise

    def test_with_synchronous_writes(self):
        self.cut_again_and_again("sync")

    def test_with_flushes(self):
        self.cut_again_and_again("flush")


class Failing(DriveTest):
    """A write or flush fails: its segment is given up, nothing that was taken is lost, and the node
    goes on in a fresh one without being told."""

    def fail_once(self, rules, durability):
        volume = f'durability = "{durability}"'
        # Its slots are made on a drive that works.
        drive = self.drive(SOUND)
        node = Node(self.host, config(drive.device, volume=volume)).start()
        self.assertEqual(node.drain(), 0)
        drive.close()
        rules = {"inject-error.0.errno": 5, "inject-error.0.once": "on", **rules}
        # A node above it: what that one does are the events.
        drive = self.drive(("--blockdev", "driver=blkdebug,node-name=debug,image=disk,"
                            + ",".join(f"{key}={value}" for key, value in rules.items()),
                            "--blockdev", "driver=raw,node-name=top,file=debug"))
        node = Node(self.host, config(drive.device, volume=volume)).start()
        blast(self.host, node, "--size", 1000, "--count", 12000, "--rate", 8000)
        wait_until(lambda: node.total("in_flight") == 0, "all stored", process=node.process)
        gauges = self.gauges(node)
        self.assertEqual((gauges["segments_poisoned"], gauges["last_errno"]), (1, 5))
        self.assertEqual(node.drain(), 0)
        total = self.expect_balanced(node)["total"]
        self.assertEqual(total["stored"], total["offered"])
        numbers = numbers_of(node.payloads())
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers), total["stored"]["messages"])
        self.assertTrue(node.json("verify")["clean"])
        return gauges

    def test_a_write(self):
        # In the first slot, which begins behind the head.
        sector = ((4 << 20) + 512 * 1024) // 512
        gauges = self.fail_once({"inject-error.0.event": "pwritev",
                                 "inject-error.0.iotype": "write",
                                 "inject-error.0.sector": sector}, "sync")
        self.assertEqual(gauges["write_errors"], 1)

    def test_a_flush(self):
        # Not one of the first, which are the keeper's.
        rules = {"inject-error.0.event": "flush_to_disk", "inject-error.0.iotype": "flush",
                 "inject-error.0.state": FLUSHES_BEFORE + 1}
        for i in range(FLUSHES_BEFORE):
            rules |= {f"set-state.{i}.event": "flush_to_disk", f"set-state.{i}.state": i + 1,
                      f"set-state.{i}.new_state": i + 2}
        self.assertEqual(self.fail_once(rules, "flush")["flush_errors"], 1)


class Slow(DriveTest):
    def test_slower_than_the_wire_while_segments_are_used_again(self):
        slow = "driver=throttle,node-name=top,throttle-group=slow,file=disk"
        drive = self.drive(("--object", "throttle-group,id=slow,x-bps-write=20000000",
                            "--blockdev", slow))
        node = Node(self.host, config(drive.device, memory="4MiB",
                                      volume='retention.max_bytes = "16MiB"')).start()
        bound = node.json("config", "check")["memory_bound"]
        sender = blast(self.host, node, "--size", 1000, "--rate", 60000, "--seconds", 120,
                       wait=False)

        def segments():
            self.assertLessEqual(resident_bytes(node.process.pid), bound * 1.05)
            self.expect_balanced(node)
            return node.ledger()["volumes"][0]["retired_segments"]
        wait_until(lambda: segments() >= 2, "segments used again", process=node.process)
        sender.terminate()
        sender.wait()
        ledger = self.expect_balanced(node)
        self.assertGreater(ledger["total"]["dropped_by"]["drive_slow"]["messages"], 0)
        self.assertEqual(node.drain(), 0)
        ledger = self.expect_balanced(node)
        self.assertEqual(ledger["total"]["in_flight"]["messages"], 0)
        numbers = numbers_of(node.payloads())
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLessEqual(len(numbers), ledger["total"]["stored"]["messages"])
        self.assertTrue(node.json("verify")["clean"])


if __name__ == "__main__":
    unittest.main()
