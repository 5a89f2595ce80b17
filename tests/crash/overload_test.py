"""Ten times what the drive takes: every message that was offered is stored, or dropped under its
cause, and a producer that waits for its acknowledgements beside such a flood loses nothing."""

import json
import os
import signal
import subprocess
import time
import unittest

from tests.integration.volume_test import blast_command, config
from tests.lib.cable import CableTest
from tests.lib.drive import Drive
from tests.lib.harness import BUILD, end_process, figure, let_pass, run, wait_until

# Beside the port of the flood, one for producers.
PRODUCERS = """
[[port]]
name = "lan0"
device = "net_af_packet0,iface=port0"
addresses = ["10.77.0.1/24"]
buffers = 4096
[[door]]
name = "pdp"
kind = "pdp"
listen = ["10.77.0.1:7373"]
"""

DRIVE_BYTES = 4_000_000   # a second, which the drive takes
FLOOD = 10 * DRIVE_BYTES  # a second
SIZE = 1000
SECONDS = 60 if "PENSTOCK_SOAK_SECONDS" in os.environ else 6  # of a flood at least


class Overload(CableTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists("/dev/fuse"):
            self.skipTest("no FUSE here")
        self.connect()
        self.drive = Drive(self.host, 1024, (
            "--object", "throttle-group,id=slow", "--blockdev",
            "driver=throttle,node-name=top,throttle-group=slow,file=disk"))
        text = config(self.drive.device, memory="8MiB") + PRODUCERS
        self.node = self.start(text.replace('memory = "64MiB"', 'memory = "128MiB"'))
        self.drive.limit("slow", DRIVE_BYTES)

    def flood(self):
        """Lines of a sender that nothing holds back."""
        command = blast_command(self.node, "--size", SIZE, "--rate", FLOOD // SIZE, "--seconds",
                                600)
        return self.host.start(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def pub(self, subject, *words):
        return self.sender.command(BUILD / "penstock", "pub", "--to", "10.77.0.1:7373",
                                   "--subject", subject, "-X", "session.sockets=1", *words)

    def flood_of_frames(self):
        """Frames of a producer that wants no acknowledgements."""
        payloads = self.host.start("yes", "x" * SIZE, stdout=subprocess.PIPE)
        flood = self.host.start(*self.pub("app.flood", "-X", "acks=none"), stdin=payloads.stdout,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        payloads.stdout.close()
        return flood

    def publish(self):
        """A file's lines, every one durable at the end; the flood goes on for its time."""
        end = time.monotonic() + SECONDS
        lines = [b"%d " % i + b"x" * 200 for i in range(SECONDS * 500)]
        path = self.host.folder / "lines"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        run(*self.pub("app.good", "--durable", path), timeout=20 * SECONDS)
        let_pass(max(0, end - time.monotonic()))
        return lines

    def expect_exact(self, lines, cases):
        """Drained: the books have every message, and the good producer's are all there."""
        node = self.node
        self.drive.limit("slow", 0)
        self.assertEqual(node.drain(), 0)
        ledger = node.ledger()
        self.assertTrue(ledger["balanced"])
        total = ledger["total"]
        count = {key: total[key]["messages"] for key in ("offered", "stored", "dropped")}
        self.assertEqual(count["offered"], count["stored"] + count["dropped"])
        self.assertGreater(count["dropped"], 0)
        self.assertEqual(count["dropped"], total["dropped_by"]["drive_slow"]["messages"])
        self.assertEqual(node.payloads("--subject", "app.good"), lines)
        cases.cases += count["offered"]
        return count

    def test_beside_a_flood_of_lines(self):
        with figure("overload_by_lines") as cases:
            flood = self.flood()
            wait_until(lambda: self.node.total("dropped") > 0, "more than the drive takes",
                       process=flood)
            lines = self.publish()
            flood.send_signal(signal.SIGINT)
            sent = json.loads(flood.communicate(timeout=30)[0])["messages"]
            wait_until(lambda: self.node.total("offered") >= sent + len(lines), "all offered",
                       process=self.node.process)
            self.assertEqual(self.expect_exact(lines, cases)["offered"], sent + len(lines))

    def test_beside_a_producer_that_wants_no_acknowledgements(self):
        with figure("overload_by_frames") as cases:
            flood = self.flood_of_frames()
            wait_until(lambda: self.node.total("dropped") > 0, "more than the drive takes",
                       process=flood)
            lines = self.publish()
            end_process(flood)
            self.expect_exact(lines, cases)


if __name__ == "__main__":
    unittest.main()
