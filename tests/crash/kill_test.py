"""kill -9 in full load, again and again: what the ledger called stored when the node died is there
after it, in order, once, byte for byte."""

import os
import random
import subprocess
import time
import unittest

from tests.lib.harness import BUILD, Host, Node, wait_until

ROUNDS = int(os.environ.get("PENSTOCK_KILLS", "100"))
LINE_BYTES = 1000
FILLER = " the quick brown fox jumps over the lazy dog and counts 0123456789 packets on its way;"
TAIL = "".join(FILLER[i % len(FILLER)] for i in range(16, LINE_BYTES)).encode()

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "48MiB"
[[port]]
name = "mem0"
device = "net_memif0,role=server,socket={folder}/memif.sock,socket-abstract=no"
addresses = ["10.78.0.1/24"]
buffers = 4096
[[shard]]
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "8MiB"
memory = "8MiB"
durability = "DURABILITY"
retention.max_bytes = "48MiB"
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
"""


class Crash:
    """One volume through many lives of its node, a generator for each."""

    def __init__(self, host, durability, seed):
        self.host = host
        self.random = random.Random(seed)
        self.node = Node(host, CONFIG.replace("DURABILITY", durability))
        self.next_offset = 0  # of the stream, when the life that runs began
        self.checked = 0
        self.blast = None
        self.blasts = 0

    def start_blast(self):
        self.blasts += 1
        self.blast = self.host.start(
            BUILD / "penstock-blast", "--device",
            f"net_memif1,role=client,socket={self.node.folder}/memif.sock,socket-abstract=no",
            "--to", "10.78.0.1:5140", "--size", LINE_BYTES, "--seconds", "3600",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end_blast(self):
        self.blast.kill()
        self.blast.wait()

    def live(self):
        """Starts, takes load for a random while, dies. Returns what its books called stored."""
        self.node.start()
        self.start_blast()
        wait_until(lambda: self.node.total("stored") > 0, "load", process=self.node.process)
        time.sleep(self.random.uniform(0, 0.15))  # the moment of death is what is random here
        self.node.kill()
        self.end_blast()
        ledger = self.node.ledger()
        assert not ledger["ended"] and ledger["balanced"], ledger
        return ledger["total"]["stored"]["messages"]

    def check(self, stored):
        """The stream's offsets go on without a hole; at least `stored` came in this life."""
        out = subprocess.run(
            [BUILD / "penstock", "read", "--config", self.node.config, "--stream", "all",
             "-f", "%o %s\n"], capture_output=True, timeout=60, check=False)
        assert out.returncode == 0, out.stderr[-2000:]
        offset = None
        number, regressions = -1, 0
        for line in out.stdout.splitlines():
            at, _, payload = line.partition(b" ")
            assert offset is None or int(at) == offset + 1, f"offset {at} follows {offset}"
            offset = int(at)
            assert len(payload) == LINE_BYTES and payload[16:] == TAIL, f"offset {at}: {payload!r}"
            now = int(payload[:16], 16)
            if now <= number:
                regressions += 1  # another life, another generator
                assert regressions < self.blasts, f"offset {at}: message {now} follows {number}"
            number = now
            self.checked += 1
        end = 0 if offset is None else offset + 1
        assert end >= self.next_offset + stored, \
            f"stored {stored} from offset {self.next_offset} on, and only {end} are there"
        self.next_offset = end


class Kill(unittest.TestCase):
    def kill_again_and_again(self, durability, rounds):
        seed = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(1 << 32))))
        host = Host("kill")
        self.addCleanup(host.close)
        crash = Crash(host, durability, seed)
        failed = 0
        for i in range(rounds):
            try:
                crash.check(crash.live())
            except AssertionError as error:
                failed += 1
                print(f"round {i}, PENSTOCK_SEED={seed}: {error}\n"
                      f"{crash.node.log.read_text()[-2000:]}")
                break
        print(f"FIGURE name=kills_{durability} cases={i + 1} failed={failed}")
        print(f"FIGURE name=messages_checked_{durability} cases={crash.checked} failed={failed}")
        self.assertEqual(failed, 0)
        # And the node goes on as if nothing had been.
        crash.node.start()
        crash.start_blast()
        wait_until(lambda: crash.node.total("stored") > 1000, "load", process=crash.node.process)
        crash.end_blast()
        self.assertEqual(crash.node.drain(), 0)
        self.assertTrue(crash.node.json("verify")["clean"])

    def test_with_synchronous_writes(self):
        self.kill_again_and_again("sync", ROUNDS - ROUNDS // 4)

    def test_with_flushes(self):
        self.kill_again_and_again("flush", ROUNDS // 4 + 1)


if __name__ == "__main__":
    unittest.main()
