"""Peers of a memif port that do what no peer should, and a second node on the same socket."""

import random
import socket
import unittest

from tests.integration.lifecycle_test import Lifecycle, blast_command, config
from tests.lib.harness import BUILD, Node, figure, run, wait_until


class Peers(Lifecycle):
    COUNT = 400

    def meddle(self, node, rng):
        """One that goes at once, after it was greeted, or with a message that is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(node.folder / "memif0.sock"))
            what = rng.randrange(4)
            try:
                if what == 1:
                    peer.recv(4096)
                if what == 2:
                    peer.send(rng.randbytes(rng.choice((1, 100, 128, 200))))
                if what == 3:
                    peer.recv(4096)
                    kind = rng.randrange(12)
                    peer.send(kind.to_bytes(2, "little") + rng.randbytes(126))
            except OSError:
                pass  # the node has closed the connection

    def test_that_come_and_go_at_any_moment_harm_nobody(self):
        node = self.node_under_load()
        rng = random.Random(1)
        with figure("memif_bad_peers") as counts:
            for counts.cases in range(1, self.COUNT + 1):
                self.meddle(node, rng)
            stored = node.total("stored")
            wait_until(lambda: node.total("stored") > stored + 50_000, "the load goes on",
                       process=node.process)
        self.assertTrue(node.ledger()["balanced"])
        self.assertEqual(node.drain(), 0)

    def test_one_that_comes_after_them_is_served(self):
        node = Node(self.host, config()).start()
        rng = random.Random(2)
        for _ in range(20):
            self.meddle(node, rng)
        run(*blast_command(node, "--count", 1000))
        node.wait_stored(1000)


class TwoNodes(Lifecycle):
    def test_the_second_on_a_socket_is_refused_and_the_first_goes_on(self):
        node = self.node_under_load()
        second = Node(self.host, config(), name="second")
        second.config.write_text(second.config.read_text().replace(
            str(second.folder / "memif0.sock"), str(node.folder / "memif0.sock")))
        done = run(BUILD / "penstockd", "--config", second.config, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("port mem0: another process has the socket", done.stderr)
        stored = node.total("stored")
        wait_until(lambda: node.total("stored") > stored + 50_000, "the load goes on",
                   process=node.process)
        self.assertEqual(node.drain(), 0)


if __name__ == "__main__":
    unittest.main()
