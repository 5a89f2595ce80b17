"""Programs that know nothing of Penstock, on the host that it runs on: their datagrams go through
the kernel's end of a TAP device."""

import unittest

from tests.integration.receive_test import Cable, config
from tests.interop.syslog_test import LOGGEN

V4, V6 = "10.77.0.1", "fd77::1"
# What logger(1) writes in front of a text when it is to leave out what differs from run to run.
FORM = ["--rfc5424=notime,notq,nohost", "--tag", "app", "--id=42", "--priority", "local0.info"]
HEAD = b"<134>1 - - app 42 - - "


class Tap(Cable):
    def start_tap(self):
        node = self.start(config("net_tap0,iface=tap0"))
        self.receiver.run("ip", "address", "add", "10.77.0.2/24", "dev", "tap0")
        self.receiver.run("ip", "address", "add", "fd77::2/64", "dev", "tap0", "nodad")
        self.receiver.run("ip", "link", "set", "tap0", "up")
        # Before the neighbour is known the kernel keeps only a few datagrams for it.
        for address in (V4, V6):
            self.receiver.run("ping", "-c", "1", "-W", "10", address)
        return node

    def test_logger_with_lines_counts_of_octets_and_more_than_a_packet_holds(self):
        node = self.start_tap()
        long = "x" * 50_000  # 35 fragments
        sent = []
        for address in (V4, V6):
            logger = ["logger", "--udp", "--server", address, "--port", "514", *FORM]
            self.receiver.run(*logger, "--octet-count", "counted")
            sent.append(b"%d %scounted" % (len(HEAD) + 7, HEAD))
            self.receiver.run(*logger, "--size", "60000", long)
            sent.append(HEAD + long.encode())
            self.receiver.run(*logger, "--skip-empty", input="one\n\n\ttwo \r\nthree")
            sent += [HEAD + text for text in (b"one", b"\ttwo \r", b"three")]
        self.expect(node, sent)
        subjects = set(node.penstock("read", "-f", "%u\\n").stdout.split())
        self.assertEqual(subjects, {"syslog.local0.info.-.app"})
        self.assertEqual(node.ledger()["doors"][0]["malformed"]["messages"], 0)
        self.assertEqual(node.drain(), 0)

    def test_loggen_over_ipv6_in_fragments(self):
        if not LOGGEN.exists():
            self.skipTest("no loggen in build/peers/bin: `make peers` could not bring it")
        node = self.start_tap()
        self.receiver.run(LOGGEN, "--inet", "--dgram", "--ipv6", "--number", 200, "--rate", 500,
                          "--size", 4000, "--quiet", V6, 514)
        node.wait_stored(200)
        payloads = node.payloads()
        self.assertEqual([len(payload) for payload in payloads], [4000] * 200)
        numbers = [int(payload.split(b"seq: ")[1].split(b",")[0]) for payload in payloads]
        self.assertEqual(numbers, list(range(200)))
        self.assertTrue(node.ledger()["balanced"])


if __name__ == "__main__":
    unittest.main()
