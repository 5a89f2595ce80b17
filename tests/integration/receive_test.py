"""Packets of the kernel's own senders over every kind of port, to the drive and back."""

import socket
import unittest

from tests.lib import frames
from tests.lib.cable import CableTest
from tests.lib.harness import Node, wait_until

CONFIG = """
[node]
name = "{{name}}"
runtime_dir = "{{runtime}}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "lan0"
device = "{device}"
addresses = ["10.77.0.1/24", "fd77::1/64"]
buffers = 4096
{shards}
[[volume]]
name = "main"
path = "{{folder}}/volume"
segment_bytes = "8MiB"
memory = "2MiB"
[[door]]
name = "syslog"
kind = "syslog"
listen = ["*:514"]
[[door]]
name = "lines"
kind = "line"
framing = "datagram"
listen = ["*:5140", "[ff15::77]:5141"]
"""


# A second port on the second queue of the interface, polled by the second shard.
TWIN = """
[[port]]
name = "lan1"
device = "net_af_xdp1,iface=port0,start_queue=1"
addresses = ["10.77.0.1/24"]
buffers = 4096
shards = [1]
"""


def config(device, shards=1):
    return CONFIG.format(device=device, shards="[[shard]]\n" * shards)


class Cable(CableTest):
    def send(self, payloads, address=("10.77.0.1", 5140), family=socket.AF_INET, place=None):
        with (place or self.sender).udp_socket(family) as sender:
            for payload in payloads:
                sender.sendto(payload, address)

    def expect(self, node, payloads):
        node.wait_stored(len(payloads))
        self.assertEqual(sorted(node.payloads()), sorted(payloads))
        ledger = node.ledger()
        self.assertTrue(ledger["balanced"], ledger["imbalances"])
        self.assertEqual(ledger["total"]["offered"]["messages"], len(payloads))


class Ports(Cable):
    def check_device(self, device, queues=1, shards=1):
        return self.check_config(config(device, shards), queues)

    def check_config(self, text, queues):
        self.connect(queues)
        node = self.start(text)
        payloads = [f"message {i} ".encode() * (1 + i % 100) for i in range(2000)]
        # One ahead: the sender keeps few packets until the node has answered its ARP request.
        self.send(payloads[:1])
        node.wait_stored(1)
        # From many ports, so that a device with several queues spreads them.
        for i in range(20):
            self.send(payloads[max(1, i * 100):(i + 1) * 100])
        self.expect(node, payloads)
        self.assertEqual(node.drain(), 0)
        return node

    def test_af_packet(self):
        self.check_device("net_af_packet0,iface=port0,framesz=2048,blocksz=4096,framecnt=4096")

    def test_af_xdp(self):
        self.check_device("net_af_xdp0,iface=port0")

    def test_af_packet_with_two_queues_for_two_shards(self):
        node = self.check_device("net_af_packet0,iface=port0,framecnt=4096", shards=2)
        offered = [shard["offered"]["messages"] for shard in node.ledger()["shards"]]
        self.assertTrue(all(offered), f"one of the shards got nothing: {offered}")

    def test_af_xdp_on_two_queues_of_one_interface(self):
        # A veth has no combined channels, so each queue is a port of its own.
        text = config("net_af_xdp0,iface=port0,start_queue=0\"\nshards = [0]\n#", shards=2)
        self.check_config(text + TWIN, queues=2)

    def test_tap(self):
        node = self.start(config("net_tap0,iface=tap0"))
        self.receiver.run("ip", "address", "add", "10.77.0.2/24", "dev", "tap0")
        self.receiver.run("ip", "link", "set", "tap0", "up")
        with self.receiver.udp_socket() as sender:
            for i in range(100):
                sender.sendto(b"tap %d" % i, ("10.77.0.1", 5140))
        self.expect(node, [b"tap %d" % i for i in range(100)])

    def test_pcap_file_is_replayed(self):
        payloads = [b"pcap %d" % i for i in range(500)]
        path = self.host.folder / "in.pcap"
        path.write_bytes(frames.pcap(frames.v4(frames.udp(payload)) for payload in payloads))
        node = self.start(config(f"net_pcap0,rx_pcap={path},tx_pcap={path}.out"))
        self.expect(node, payloads)

    def test_ring(self):
        node = self.start(config("net_ring0"))
        self.assertEqual(node.drain(), 0)


class Reachability(Cable):
    def test_answers_arp_echo_and_neighbour_solicitation(self):
        self.connect(ipv6=True)
        node = self.start(config("net_af_packet0,iface=port0"))
        self.sender.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "10.77.0.1")
        self.sender.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "fd77::1")
        self.sender.run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-s", "1400", "10.77.0.1")
        answered = node.ledger()["ports"][0]["answered"]
        self.assertGreaterEqual(answered["arp_answered"]["packets"], 1)
        self.assertGreaterEqual(answered["neighbour_answered"]["packets"], 1)
        self.assertEqual(answered["echo_answered"]["packets"], 8)
        self.assertTrue(node.ledger()["balanced"])

    def test_an_address_that_is_not_ours_is_not_answered(self):
        self.connect()
        node = self.start(config("net_af_packet0,iface=port0"))
        self.assertNotEqual(
            self.sender.run("ping", "-c", "1", "-W", "1", "10.77.0.9", check=False).returncode, 0)
        ignored = wait_until(lambda: node.ledger()["ports"][0]["ignored"], "the books")
        self.assertGreaterEqual(ignored["arp_other"]["packets"], 1)

    def test_ipv6_and_fragments_and_vlans(self):
        # Not on AF_PACKET: there the kernel puts fragments together, into more than its ring takes.
        self.connect(ipv6=True)
        node = self.start(config("net_af_xdp0,iface=port0"))
        large = [bytes([65 + i % 26]) * size for i, size in enumerate((1473, 3000, 9000, 60000))]
        self.send(large)
        six = [b"over IPv6", b"x" * 1400, b"y" * 8000]
        self.send(six, ("fd77::1", 5140), socket.AF_INET6)
        tagged = [frames.v4(frames.udp(b"tagged"), vlans=(5,)),
                  frames.v4(frames.udp(b"twice"), vlans=(7, 5))]
        with self.sender.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as raw:
            raw.bind(("eth0", 0))
            for packet in tagged:
                raw.send(packet)
        self.expect(node, large + six + [b"tagged", b"twice"])

    def test_multicast_group_of_a_door(self):
        self.connect(ipv6=True)
        node = self.start(config("net_af_packet0,iface=port0"))
        with self.sender.udp_socket(socket.AF_INET6) as sender:
            index = self.sender.call(lambda: socket.if_nametoindex("eth0"))
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sender.sendto(b"to all who listen", ("ff15::77", 5141))
        self.expect(node, [b"to all who listen"])

    def test_what_no_door_listens_to_is_counted(self):
        self.connect()
        node = self.start(config("net_af_packet0,iface=port0"))
        self.send([b"nobody"] * 7, ("10.77.0.1", 9999))
        self.send([b"somebody"])
        self.expect(node, [b"somebody"])
        self.assertEqual(node.ledger()["ports"][0]["ignored"]["no_door"]["packets"], 7)


class Privilege(Cable):
    def test_runs_as_an_ordinary_user_with_the_capabilities_of_its_device(self):
        self.connect()
        node = Node(self.host, config("net_af_packet0,iface=port0"), namespace=self.receiver)
        for folder in (self.host.folder, node.folder, node.runtime):
            folder.chmod(0o777)
        capabilities = "+net_raw,+net_admin"
        node.wrapper = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                        "--inh-caps", capabilities, "--ambient-caps", capabilities]
        node.start()
        self.send([b"from a user"])
        self.expect(node, [b"from a user"])
        self.assertEqual(node.drain(), 0)


if __name__ == "__main__":
    unittest.main()
