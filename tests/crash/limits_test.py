"""A disk that is full and a drive that is slow: what cannot be kept is not taken, and counted under
its cause; readers go on, what was stored is there, memory stays within its bound, and when there is
room or speed again the node is as fast as before without having been restarted."""

import os
import shutil
import unittest

from tests.integration.volume_test import VolumeTest, blast, config, resident_bytes
from tests.lib.drive import Drive
from tests.lib.harness import Node, figure, wait_until

ROOM = 44 << 20  # what the disk has left for the volume
RATE = 8000      # messages of 1000 bytes a second, which the drive takes when nothing is wrong
FULL_SPEED = ("--size", 1000, "--count", 12000, "--rate", RATE)


class LimitsTest(VolumeTest):
    def keep_up(self, node):
        """Sends more than memory holds until all of it is kept: others use the machine too."""
        wait_until(lambda: self.keeps_all(node), "the full rate kept", process=node.process)

    def keeps_all(self, node):
        before = node.ledger()["total"]
        sent = blast(self.host, node, *FULL_SPEED)["messages"]
        wait_until(lambda: node.total("in_flight") == 0, "what was taken stored",
                   process=node.process)
        total = self.expect_balanced(node)["total"]
        # What a node without a processor leaves in the ring goes with the sender.
        return (total["dropped"] == before["dropped"]
                and total["offered"]["messages"] == before["offered"]["messages"] + sent)

    def expect_exact(self, node, *causes):
        """Every message that was offered is stored, or dropped for one of these causes."""
        total = self.expect_balanced(node)["total"]
        dropped = {cause: count["messages"] for cause, count in total["dropped_by"].items()
                   if count["messages"]}
        self.assertLessEqual(set(dropped), set(causes))
        self.assertEqual(total["dropped"]["messages"], sum(dropped.values()))
        self.assertEqual(total["offered"]["messages"],
                         sum(total[key]["messages"] for key in ("stored", "dropped", "in_flight")))
        return total

    def end(self, node, *causes):
        self.assertEqual(node.drain(), 0)
        total = self.expect_exact(node, *causes)
        self.assertEqual(total["in_flight"]["messages"], 0)
        self.assertTrue(node.json("verify")["clean"])
        return total["stored"]["messages"]


class FullDisk(LimitsTest):
    def nearly_full(self, kind, megabytes):
        folder = self.mounted(megabytes, kind)
        ballast = folder / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - ROOM)
        return folder, ballast

    def fill_and_free(self, kind, megabytes):
        with figure(f"full_disk_{kind}") as cases:
            folder, ballast = self.nearly_full(kind, megabytes)
            node = Node(self.host, config(folder / "volume", memory="8MiB")).start()
            self.keep_up(node)
            blast(self.host, node, "--size", 1000, "--count", 50000, "--rate", 5 * RATE)
            wait_until(lambda: node.ledger()["volumes"][0]["volume_full"], "the volume full",
                       process=node.process)
            wait_until(lambda: node.total("in_flight") == 0 or
                       node.ledger()["total"]["dropped_by"]["volume_full"]["messages"],
                       "messages refused", process=node.process)
            total = self.expect_exact(node, "volume_full", "drive_slow")
            cases.cases += total["offered"]["messages"]
            stored = node.total("stored")
            self.assertGreaterEqual(len(node.payloads()), stored, "readers go on")
            ballast.unlink()
            wait_until(lambda: node.ledger()["volumes"][0]["volume_full"] == 0, "room noticed",
                       process=node.process)
            wait_until(lambda: node.total("in_flight") == 0, "what waited for room stored",
                       process=node.process)
            self.keep_up(node)
            stored = self.end(node, "volume_full", "drive_slow")
            self.assertEqual(len(node.payloads()), stored)

    def test_ext4(self):
        self.fill_and_free("ext4", 96)

    def test_xfs(self):
        self.fill_and_free("xfs", 400)

    def test_retention_deletes_on_a_disk_that_is_full(self):
        folder, _ = self.nearly_full("ext4", 96)
        node = Node(self.host, config(folder / "volume", memory="8MiB",
                                      volume='retention.max_bytes = "1GiB"')).start()
        def retired():
            blast(self.host, node, *FULL_SPEED)
            return node.ledger()["volumes"][0]["retired_segments"]
        with figure("full_disk_retention") as cases:
            wait_until(lambda: retired() >= 2, "segments deleted", process=node.process)
            self.keep_up(node)
            self.assertEqual(node.ledger()["volumes"][0]["volume_full"], 0)
            cases.cases += node.total("offered")
            self.end(node, "drive_slow")


class SlowDrive(LimitsTest):
    def test_a_hundred_times_slower_for_a_while(self):
        if not os.path.exists("/dev/fuse"):
            self.skipTest("no FUSE here")
        drive = Drive(self.host, 128, (
            "--object", "throttle-group,id=slow", "--blockdev",
            "driver=throttle,node-name=top,throttle-group=slow,file=disk"))
        with figure("slow_drive") as cases:
            node = Node(self.host, config(drive.device, memory="8MiB")).start()
            bound = node.json("config", "check")["memory_bound"]
            self.keep_up(node)
            drive.limit("slow", RATE * 1000 // 100)
            before = node.total("offered")
            sent = blast(self.host, node, "--size", 1000, "--count", 40000, "--rate", RATE)
            wait_until(lambda: node.total("offered") >= before + sent["messages"], "all offered",
                       process=node.process)
            self.assertLessEqual(resident_bytes(node.process.pid), bound * 1.03)
            total = self.expect_exact(node, "drive_slow")
            self.assertGreater(total["dropped"]["messages"], sent["messages"] // 2)
            cases.cases += total["offered"]["messages"]
            drive.limit("slow", 0)
            wait_until(lambda: node.total("in_flight") == 0, "the rest on the drive",
                       process=node.process)
            self.keep_up(node)
            self.assertLessEqual(resident_bytes(node.process.pid), bound * 1.03)
            stored = self.end(node, "drive_slow")
            self.assertEqual(len(node.payloads()), stored)


if __name__ == "__main__":
    unittest.main()
