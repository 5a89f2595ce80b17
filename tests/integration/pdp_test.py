"""Producers that speak PDP, from outside the node: over a real port, to the drive and back."""

import socket
import unittest

from tests.lib import pdp_producer as pdp
from tests.lib.cable import CableTest
from tests.lib.harness import wait_until

CONFIG = """
[node]
name = "{{name}}"
runtime_dir = "{{runtime}}"
[dpdk]
hugepages = "never"
memory = "96MiB"
[[port]]
name = "lan0"
device = "net_af_packet0,iface=port0,qpairs={shards}"
addresses = ["10.77.0.1/24", "fd77::1/64"]
buffers = 4096
{sections}
[[volume]]
name = "main"
path = "{{folder}}/volume"
segment_bytes = "8MiB"
memory = "2MiB"
[[door]]
name = "pdp"
kind = "pdp"
listen = ["*:7373"]
{door}
"""


# A shard that polls another port than that of the producers.
ELSEWHERE = """shards = [0]
[[port]]
name = "lan1"
device = "net_memif1,role=server,socket={{runtime}}/lan1.sock,socket-abstract=no"
shards = [1]
[[shard]]
[[shard]]
"""


def config(shards=1, door=""):
    return CONFIG.format(shards=shards, sections="[[shard]]\n" * shards, door=door)


def config_elsewhere():
    return CONFIG.format(shards=1, sections=ELSEWHERE.format(), door="")


class Producers(CableTest):
    def producer(self, name=b"one", address=("10.77.0.1", 7373), family=socket.AF_INET,
                 **options):
        sock = self.sender.udp_socket(family)
        self.addCleanup(sock.close)
        sock.connect(address)
        return pdp.Producer(sock, name, **options)

    def lines(self, first, count):
        return [f"line {i}".encode() for i in range(first, first + count)]

    def expect_balanced(self, node):
        wait_until(lambda: node.ledger()["total"]["in_flight"]["messages"] == 0,
                   "nothing in flight")
        self.assertTrue(node.ledger()["balanced"])


class OneShard(Producers):
    def test_what_is_acknowledged_as_durable_is_read_back_in_order(self):
        self.connect()
        node = self.start(config())
        producer = self.producer()
        self.assertEqual(producer.open(), 0)
        for i in range(100):
            producer.produce(self.lines(10 * i, 10))
        producer.flush()
        self.assertEqual(node.payloads(), self.lines(0, 1000))
        closed = producer.close()
        self.assertEqual((closed.received, closed.durable, closed.lost), (1000, 1000, 0))
        self.expect_balanced(node)
        door = node.ledger()["pdp"][0]
        self.assertEqual(door["taken"]["taken"]["frames"], 100)
        self.assertEqual(node.drain(), 0)

    def test_ipv6_works_as_ipv4(self):
        self.connect(ipv6=True)
        node = self.start(config())
        producer = self.producer(address=("fd77::1", 7373), family=socket.AF_INET6)
        producer.open()
        producer.produce(self.lines(0, 5))
        producer.flush()
        self.assertEqual(node.payloads(), self.lines(0, 5))

    def test_a_session_goes_on_after_kill_9_and_nothing_is_stored_twice(self):
        self.connect()
        node = self.start(config())
        producer = self.producer()
        producer.open()
        for round_ in range(5):
            for i in range(20):
                producer.produce(self.lines(200 * round_ + 10 * i, 10))
            node.kill()
            node.start()
            producer.flush()
        self.assertEqual(node.payloads(), self.lines(0, 1000))

    def test_a_producer_that_starts_anew_learns_where_it_was(self):
        self.connect()
        node = self.start(config())
        producer = self.producer(name=b"import")
        producer.open()
        producer.produce(self.lines(0, 30))
        producer.flush()
        node.drain()
        node.start()
        self.assertEqual(self.producer(name=b"import").open(), 30)
        self.assertEqual(self.producer(name=b"another").open(), 0)

    def test_duplicates_and_frames_out_of_order_are_stored_once_in_order(self):
        self.connect()
        node = self.start(config())
        producer = self.producer(level=pdp.RECEIVED)
        producer.open()
        for i in range(30):
            producer.hold(self.lines(10 * i, 10))
        frames = dict(producer.held)
        for sequence in sorted(frames, key=lambda s: (s * 7919) % 331):
            producer.held = dict(frames)
            producer.transmit(sequence)
            producer.transmit(sequence)
        producer.flush()
        node.wait_stored(300)
        self.assertEqual(node.payloads(), self.lines(0, 300))
        self.expect_balanced(node)

    def test_fire_and_forget_counts_what_is_missing(self):
        self.connect()
        node = self.start(config())
        producer = self.producer(level=pdp.NONE)
        producer.open()
        producer.produce(self.lines(0, 10))
        producer.next += 7  # lost on the way
        producer.produce(self.lines(17, 10))
        self.assertEqual(producer.ping().lost, 7)
        node.wait_stored(20)
        self.assertEqual(node.ledger()["pdp"][0]["lost_messages"], 7)
        self.expect_balanced(node)

    def test_more_sessions_than_the_volume_can_name_are_refused(self):
        self.connect()
        node = self.start(config())
        self.assertEqual(node.drain(), 0)
        # The configuration is in order for the segments that it names, not for those that are.
        node.config.write_text(node.config.read_text().replace("8MiB", "64MiB")
                               + "pdp.remembered = 90000\n")
        node.start(wait=False)
        self.assertEqual(node.process.wait(timeout=30), 1)
        self.assertIn("lower pdp.remembered", node.log.read_text())

    def test_a_draining_node_says_so_and_keeps_what_it_took(self):
        self.connect()
        node = self.start(config(door='pdp.successor = "10.77.0.9:7373"'))
        producer = self.producer(level=pdp.RECEIVED)
        producer.open()
        producer.produce(self.lines(0, 10))
        producer.flush()
        self.assertEqual(node.drain(), 0)
        told = producer.answer("go_away", 10)
        self.assertEqual((told.reason, told.tail), (2, b"10.77.0.9:7373"))
        self.assertEqual(node.payloads(), self.lines(0, 10))


class TwoShards(Producers):
    def test_sessions_live_on_their_shards_whichever_queue_their_frames_come_by(self):
        self.connect(queues=2)
        node = self.start(config(shards=2))
        producers = [self.producer(name=b"session %d" % i) for i in range(12)]
        for producer in producers:
            producer.open()
            producer.produce(self.lines(0, 10))
        for producer in producers:
            producer.flush()
            accept = producer.seen["accept"]
            self.assertEqual((accept.shards, accept.shard), (2, accept.session % 2))
        self.assertEqual({p.seen["accept"].shard for p in producers}, {0, 1})
        node.wait_stored(120)
        self.expect_balanced(node)

    def opened_on_shard_one(self, **options):
        """Every frame of it comes to the other shard, and every answer goes by that one."""
        for i in range(64):
            producer = self.producer(name=b"session %d" % i, **options)
            producer.open()
            if producer.seen["accept"].shard == 1:
                return producer
            producer.close()
        raise AssertionError("64 names, and none is shard 1's")

    def test_a_shard_that_polls_another_port_has_its_frames_handed_over(self):
        self.connect()
        node = self.start(config_elsewhere())
        producer = self.opened_on_shard_one()
        for i in range(100):
            producer.produce(self.lines(10 * i, 10))
        producer.flush()
        self.assertEqual(node.payloads(), self.lines(0, 1000))
        self.expect_balanced(node)
        door = node.ledger()["pdp"][0]
        self.assertGreaterEqual(door["ignored"]["handed_over"]["frames"], 100)
        self.assertEqual(door["taken"]["taken"]["frames"], 100)

    def test_a_drain_loses_nothing_between_shards(self):
        self.connect()
        node = self.start(config_elsewhere())
        for round_ in range(5):
            producer = self.opened_on_shard_one(level=pdp.NONE)
            before = node.total("stored")
            for i in range(200):
                producer.produce(self.lines(10 * i, 10))
            self.assertEqual(node.drain(), 0)
            stored = node.total("stored") - before
            self.assertEqual(stored, 2000, f"round {round_}")
            self.assertTrue(node.ledger()["balanced"])
            node.start()

    def test_a_session_is_known_after_the_number_of_shards_changed(self):
        self.connect(queues=2)
        node = self.start(config(shards=2))
        names = [b"session %d" % i for i in range(8)]
        for name in names:
            producer = self.producer(name=name)
            producer.open()
            producer.produce(self.lines(0, 10))
            producer.flush()
        node.drain()
        node.config.write_text(node.config.read_text().replace("[[shard]]\n", "", 1)
                               .replace("qpairs=2", "qpairs=1"))
        node.start()
        for name in names:
            self.assertEqual(self.producer(name=name).open(), 10)


if __name__ == "__main__":
    unittest.main()
