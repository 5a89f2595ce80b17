"""What a port does when more, larger or other packets come than it likes: all of it is counted."""

import random
import signal
import socket
import unittest

from tests.integration.receive_test import Cable, config
from tests.lib import frames
from tests.lib.harness import figure, wait_until


class Overload(Cable):
    """While the node stands still its rings fill, and the kernel drops what does not fit."""

    def overload(self, device):
        self.connect()
        self.drop_some(self.start(config(device)), self.send)

    def drop_some(self, node, send):
        # The sender asks for the address once, before the node stands still.
        send([b"before"])
        node.wait_stored(1)
        before = node.ledger()["ports"][0]["received"]["packets"]
        node.process.send_signal(signal.SIGSTOP)
        sent = 6000
        send([b"message %d" % i for i in range(sent)])
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

    def test_what_a_tap_has_no_room_for_is_counted(self):
        node = self.start(config("net_tap0"))
        self.receiver.run("sysctl", "-qw", "net.ipv6.conf.dtap0.disable_ipv6=1")
        self.receiver.run("ip", "address", "add", "10.77.0.2/24", "dev", "dtap0")
        self.receiver.run("ip", "link", "set", "dtap0", "up")
        self.drop_some(node, lambda payloads: self.send(payloads, place=self.receiver))


class Queues(Cable):
    def test_a_device_that_spreads_nothing_over_its_queues_is_warned_of(self):
        warning = "port lan0: its device does not spread packets over queues"
        self.assertIn(warning, self.start(config("net_ring0", shards=2)).log.read_text())

    def test_af_packet_spreads_over_as_many_queues_as_shards(self):
        self.connect()
        node = self.start(config("net_af_packet0,iface=port0", shards=2))
        self.assertNotIn("does not spread", node.log.read_text())
        self.send([b"before"])
        node.wait_stored(1)
        for _ in range(50):  # a flow each
            self.send([b"message"])
        node.wait_stored(51)
        shards = [shard["offered"]["messages"] for shard in node.ledger()["shards"]]
        self.assertTrue(all(shards), f"one of the shards got nothing: {shards}")

    def test_af_packet_gives_a_flow_to_another_queue_before_it_drops_any(self):
        # A queue is passed over when less than a quarter of its ring is free (operations.md).
        self.connect()
        node = self.start(config('net_af_packet0,iface=port0"\nreceive_descriptors = 1024\n#',
                                 shards=2))
        self.send([b"before"])
        node.wait_stored(1)
        node.process.send_signal(signal.SIGSTOP)
        payloads = [b"message %d" % i for i in range(1200)]
        self.send(payloads)  # of one flow
        node.process.send_signal(signal.SIGCONT)
        self.expect(node, [b"before"] + payloads)
        self.assertGreater(min(s["offered"]["messages"] for s in node.ledger()["shards"]), 100)


class Links(Cable):
    """Up or down as the kernel says: DPDK calls the link of these devices up, whatever happens."""

    def follow(self, device):
        self.connect()
        node = self.start(config(device))

        def wait_link(up):
            wait_until(lambda: node.ledger()["ports"][0]["device"]["link_up"] == up,
                       f"link_up {up}", process=node.process)

        wait_link(1)
        self.receiver.run("ip", "link", "set", "port0", "down")
        wait_link(0)
        self.receiver.run("ip", "link", "set", "port0", "up")
        wait_link(1)
        self.send([b"up again"])
        self.expect(node, [b"up again"])
        self.sender.run("ip", "link", "set", "eth0", "down")
        wait_link(0)
        self.receiver.run("ip", "link", "delete", "port0")
        wait_link(0)
        self.assertEqual(node.drain(), 0)

    def test_af_packet(self):
        self.follow("net_af_packet0,iface=port0")

    def test_af_xdp(self):
        self.follow("net_af_xdp0,iface=port0")


class Sizes(Cable):
    """Packets longer than a plain Ethernet frame, whole or in fragments."""

    def receive(self, device, sizes, mtu=1500, cable_mtu=None, keys="", family=socket.AF_INET):
        self.connect(ipv6=True)
        for namespace, name in ((self.sender, "eth0"), (self.receiver, "port0")):
            namespace.run("ip", "link", "set", name, "mtu", cable_mtu or mtu)
        text = config(f'{device}"\nmtu = {mtu}\n{keys}#')
        # Buffers for long packets want more than the tests' usual memory.
        node = self.start(text.replace('"64MiB"', '"192MiB"'))
        payloads = [bytes([65 + i % 26]) * size for i, size in enumerate(sizes)]
        address = "10.77.0.1" if family == socket.AF_INET else "fd77::1"
        self.send(payloads, (address, 5140), family)
        self.expect(node, payloads)
        malformed = node.ledger()["ports"][0]["malformed"].values()
        self.assertEqual(sum(tally["packets"] for tally in malformed), 0)

    def test_af_packet_takes_jumbo_frames(self):
        self.receive("net_af_packet0,iface=port0", [100, 1472, 1473, 1941, 8000, 8972], mtu=9000)

    def test_af_packet_takes_fragments_of_a_datagram_as_long_as_its_mtu(self):
        self.receive("net_af_packet0,iface=port0", [8000, 8000, 8972], mtu=9000, cable_mtu=1500)

    def test_af_packet_takes_datagrams_that_the_kernel_puts_together(self):
        self.receive("net_af_packet0,iface=port0", [8000, 30_000, 32_000],
                     keys='buffer_bytes = "32KiB"\n')

    def test_af_packet_takes_fragments_over_ipv6(self):
        self.receive("net_af_packet0,iface=port0", [8000, 30_000, 65_000], family=socket.AF_INET6)

    def test_af_xdp_takes_what_fits_in_a_page(self):
        self.receive("net_af_xdp0,iface=port0", [1473, 2900, 3200, 8000], mtu=3240)

    def test_af_packet_counts_what_it_must_cut(self):
        self.connect()
        node = self.start(config("net_af_packet0,iface=port0"))
        self.send([b"x" * 8000, b"y" * 1000])
        node.wait_stored(1)
        port = node.ledger()["ports"][0]
        self.assertEqual(port["malformed"]["bad_ip_length"]["packets"], 1)
        self.assertTrue(node.ledger()["balanced"])


class Frames(Cable):
    """Whatever is in a frame: it is counted under its cause, and no other suffers from it."""

    def replay(self, sent):
        path = self.host.folder / "in.pcap"
        path.write_bytes(frames.pcap(sent))
        device = f'net_pcap0,rx_pcap={path},tx_pcap=/dev/null"\nfragment_timeout = "100s"\n#'
        node = self.start(config(device))
        wait_until(lambda: self.port(node)["received"]["packets"] >= len(sent),
                   f"{len(sent)} packets received", process=node.process)
        return node

    @staticmethod
    def port(node):
        return node.ledger()["ports"][0]

    def test_every_frame_is_counted_under_its_cause(self):
        taken = [frames.good(i) for i in range(200)]
        sent = [frame for whole, _ in taken for frame in whole]
        good = len(sent)
        for bad in frames.BAD.values():
            sent += bad
        node = self.replay(sent)
        self.assertEqual(self.port(node)["held"]["packets"], len(frames.BAD["fragment_expired"]))
        self.assertEqual(node.drain(), 0)
        port = self.port(node)
        counted = {cause: tally["packets"] for kind in ("answered", "ignored", "malformed")
                   for cause, tally in port[kind].items() if tally["packets"]}
        self.assertEqual(counted, {cause: len(bad) for cause, bad in frames.BAD.items()})
        self.assertEqual(port["decoded"]["packets"], good)
        self.assertEqual(port["held"], {"packets": 0, "bytes": 0})
        self.assertTrue(node.ledger()["balanced"])
        self.assertEqual(sorted(node.payloads()), sorted(payload for _, payload in taken))

    def test_frames_changed_at_random_leave_the_books_balanced(self):
        seed = random.randrange(1 << 32)
        with self.subTest(seed=seed), figure("hostile_frames") as counts:
            sent = list(frames.mutated(random.Random(seed), 20_000))
            counts.cases = len(sent)
            node = self.replay(sent)
            self.assertEqual(node.drain(), 0)
            ledger = node.ledger()
            port = ledger["ports"][0]
            self.assertEqual(port["received"], {"packets": len(sent), "bytes": sum(map(len, sent))})
            self.assertTrue(ledger["balanced"], ledger["imbalances"])
            self.assertGreater(port["decoded"]["packets"], len(sent) // 50)


if __name__ == "__main__":
    unittest.main()
