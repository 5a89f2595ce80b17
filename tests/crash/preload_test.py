"""penstockd with a chosen call of its own failing: open, fallocate, write, fsync, truncate, rename,
remove, mkdir on its volume, its ledger or its runtime directory. It ends with an error that says
what failed, or goes on; what its books called stored is there afterwards."""

import errno
import os
import random
import time
import unittest

from tests.integration.volume_test import blast, config
from tests.lib.harness import Host, Node, figure, run, wait_until

CASES = 14
SEED = int(os.environ.get("PENSTOCK_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
# With it, cases go on until this time is over.
SECONDS = float(os.environ.get("PENSTOCK_SOAK_SECONDS", "inf"))
MESSAGES = 3000


class Preload(unittest.TestCase):
    def setUp(self):
        self.host = Host("preload")
        self.addCleanup(self.host.close)
        self.shim = self.host.folder / "faults.so"
        run("g++", "-std=c++23", "-O1", "-shared", "-fPIC", "-I.", "tests/crash/system_calls.cc",
            "-o", self.shim)

    def live(self, name, fault):
        """One life with a fault; returns how many calls of each kind there were."""
        node = Node(self.host, config(memory="4MiB"), name)
        counts = node.folder / "counts"
        node.environment |= {"LD_PRELOAD": str(self.shim), "PENSTOCK_FAULT": fault,
                             "PENSTOCK_FAULT_UNDER": str(node.folder),
                             "PENSTOCK_FAULT_COUNTS": str(counts)}
        node.start(wait=False)
        wait_until(lambda: node.process.poll() is not None or " ready" in node.log.read_text(),
                   "ready or ended")
        if node.process.poll() is not None:
            self.assertEqual(node.process.returncode, 1, node.log.read_text()[-2000:])
            self.assertRegex(node.log.read_text(), "Input/output error|No space left",
                             "it says what failed")
            books = {"stored": 0, "in_flight": 0}
        else:
            sent = blast(self.host, node, "--size", 1000, "--count", MESSAGES, "--rate", 20000)
            wait_until(lambda: node.total("offered") >= sent["messages"], "all offered",
                       process=node.process)
            self.assertTrue(node.ledger()["balanced"])
            if fault:
                node.kill()
            else:
                self.assertEqual(node.drain(), 0)
            books = {key: node.total(key) for key in ("stored", "in_flight")}
        self.judge(node, books)
        return dict(line.split() for line in counts.read_text().splitlines()) if not fault else {}

    def judge(self, node, books):
        node.environment.pop("LD_PRELOAD")
        node.start()
        self.assertEqual(node.drain(), 0)
        found = len(node.payloads())
        self.assertGreaterEqual(found, books["stored"], node.log.read_text()[-2000:])
        self.assertLessEqual(found, books["stored"] + books["in_flight"])
        self.assertTrue(node.json("verify")["clean"])

    def test_a_call_of_the_daemon_fails(self):
        counts = self.live("whole", "")
        faults = [f"{call}:{number}:{error}:{for_ever}"
                  for call, count in counts.items() for number in range(int(count))
                  for error in (errno.EIO, errno.ENOSPC) for for_ever in (0, 1)]
        self.assertGreater(len(faults), 100, counts)
        random.Random(SEED).shuffle(faults)
        end = time.monotonic() + SECONDS
        with figure("daemon_call_failures") as cases:
            for fault in faults if SECONDS != float("inf") else faults[:CASES]:
                if time.monotonic() >= end:
                    break
                cases.cases += 1
                try:
                    self.live(f"n{cases.cases}", fault)
                except BaseException:
                    print(f"{fault}; again: PENSTOCK_CRASH_SEED={SEED} PENSTOCK_BUILD=build/release"
                          " PYTHONPATH=. python3 tests/run/pyunit.py tests/crash/preload_test.py")
                    raise


if __name__ == "__main__":
    unittest.main()
