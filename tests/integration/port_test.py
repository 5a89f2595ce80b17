"""What a port does when more, larger or other packets come than it likes: all of it is counted."""

import signal
import unittest

from tests.integration.receive_test import Cable, config
from tests.lib.harness import wait_until


class Overload(Cable):
    """While the node stands still its rings fill, and the kernel drops what does not fit."""

    def overload(self, device):
        self.connect()
        node = self.start(config(device))
        # The sender asks for the address once, before the node stands still.
        self.send([b"before"])
        node.wait_stored(1)
        before = node.ledger()["ports"][0]["received"]["packets"]
        node.process.send_signal(signal.SIGSTOP)
        sent = 6000
        self.send([b"message %d" % i for i in range(sent)])
        node.process.send_signal(signal.SIGCONT)

        def seen():
            port = node.ledger()["ports"][0]
            return port["received"]["packets"] - before, port["device"]["device_missed"]

        wait_until(lambda: sum(seen()) >= sent, f"{sent} packets accounted for; seen: {seen()}",
                   process=node.process)
        received, missed = seen()
        self.assertEqual(received + missed, sent)
        self.assertGreater(received, 100)
        self.assertGreater(missed, 100)
        self.assertTrue(node.ledger()["balanced"])
        # What was read once stays counted, to the end.
        self.assertEqual(node.drain(), 0)
        self.assertEqual(seen(), (received, missed))

    def test_what_an_af_packet_ring_has_no_room_for_is_counted(self):
        self.overload("net_af_packet0,iface=port0")

    def test_what_an_af_xdp_ring_has_no_room_for_is_counted(self):
        self.overload("net_af_xdp0,iface=port0")


if __name__ == "__main__":
    unittest.main()
