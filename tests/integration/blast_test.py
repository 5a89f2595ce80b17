"""penstock-blast: what it says it sent is what it sent, and what it cannot do it says."""

import json
import signal
import struct
import subprocess
import unittest

from tests.lib.harness import BUILD, DEADLINE_S, Host, Node, run, wait_until

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "lan0"
device = "net_memif0,role=server,socket={folder}/memif.sock,socket-abstract=no"
addresses = ["10.77.0.2/24", "fd77::2/64"]
buffers = 2048
[[shard]]
[[volume]]
name = "main"
kind = "null"
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
"""


def datagrams(path):
    """The UDP payloads of a capture file, in order."""
    data = path.read_bytes()
    at, found = 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16 + 42:at + 16 + length])
        at += 16 + length
    return found


class BlastTest(unittest.TestCase):
    def setUp(self):
        self.host = Host("blast")
        self.addCleanup(self.host.close)

    def command(self, *options, device="net_null0"):
        return [BUILD / "penstock-blast", "--device", device, "--file-prefix",
                self.host.folder.name, *options]

    def capture(self, *options):
        """Sends into a file; the counts, and the messages that are in it."""
        path = self.host.folder / "sent.pcap"
        done = run(*self.command("--linger", "0", "--json", *options,
                                 device=f"net_pcap0,tx_pcap={path}"))
        return json.loads(done.stdout), datagrams(path)

    def check_exact(self, count, *options):
        counts, sent = self.capture("--count", count, *options)
        messages = [line for datagram in sent for line in datagram.splitlines()]
        self.assertEqual([int(message[:16], 16) for message in messages], list(range(count)))
        self.assertEqual(counts["messages"], count)
        self.assertEqual(counts["packets"], len(sent))
        self.assertEqual(counts["message_bytes"], sum(map(len, messages)))
        self.assertEqual(counts["packet_bytes"], sum(len(datagram) + 42 for datagram in sent))

    def test_a_count_is_sent_exactly(self):
        self.check_exact(1, "--size", "100")
        self.check_exact(1000, "--size", "100", "--sources", "7")

    def test_a_count_of_packed_lines_is_sent_exactly(self):
        # Ten lines to a datagram: less than one, whole ones, and some left over.
        for count in (3, 10, 1000, 1007):
            with self.subTest(count=count):
                self.check_exact(count, "--size", "99", "--packed", "1000")
        # Long packets, on a device that knows no bound of its own.
        self.check_exact(777, "--size", "99", "--packed", "8000")

    def test_what_is_wrong_in_the_command_line_is_named_with_its_remedy(self):
        for options, named in (
                (["--count", "0"], ["--count"]),
                (["--count", "-5"], ["--count"]),
                (["--count", "many"], ["--count"]),
                (["--seconds", "-1"], ["--seconds"]),
                (["--seconds", "0"], ["--seconds"]),
                ([], ["--count", "--seconds"]),
                (["--count", "1", "--rate", "-1"], ["--rate"]),
                (["--count", "1", "--linger", "-1"], ["--linger"]),
                (["--count", "1", "--core", "-1"], ["--core"]),
                (["--count", "1", "--size", "16"], ["--size", "17", "60000"]),
                (["--count", "1", "--size", "60", "--payload", "syslog"],
                 ["--size 60", "raise", "--payload line"]),
                (["--count", "1", "--size", "100", "--packed", "100"], ["--packed", "--size"]),
                (["--count", "1", "--packed", "1000", "--payload", "syslog"],
                 ["--packed", "--payload line"]),
                (["--count", "1", "--to", "10.0.0.1"], ["--to 10.0.0.1", "10.77.0.2:514"]),
                (["--count", "1", "--to", "10.0.0.1:5x"], ["--to 10.0.0.1:5x", "65535"]),
                (["--count", "1", "--from", "fd00::1"], ["--from fd00::1", "10.77.0.1"]),
                (["--count", "1", "--from", "255.255.255.254", "--sources", "3"],
                 ["--from 255.255.255.254", "--sources"]),
                (["--seconds", "0"], ["--seconds: 0 is not more than 0"]),
                (["--count", "1", "--rate", "-1"], ["--rate: -1 is not 0 or more"]),
                (["--count", "1", "--to-ethernet", "x"], ["--to-ethernet x", "02:00:"]),
                (["--count", "1", "--frobnicate"], ["--frobnicate"])):
            with self.subTest(options=options):
                done = run(*self.command(*options), check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                for part in named:
                    self.assertIn(part, done.stderr)

    def test_the_smallest_syslog_size_is_sent_as_it_is(self):
        options = ["--count", "1", "--payload", "syslog", "--size"]
        said = run(*self.command(*options, "60"), check=False).stderr
        least = next(word for word in said.split("needs ")[1].split())
        counts, sent = self.capture(*options, least)
        self.assertEqual([len(datagram) for datagram in sent], [int(least)])
        self.assertEqual(counts["message_bytes"], int(least))

    def test_on_af_packet_what_was_counted_arrives(self):
        sender, receiver = self.host.namespace("sender"), self.host.namespace("receiver")
        self.host.veth(sender, "eth0", receiver, "eth1")

        def received():
            path = "/sys/class/net/eth1/statistics/rx_packets"
            return int(receiver.run("cat", path).stdout)

        device = "net_af_packet0,iface=eth0"
        before = received()
        done = sender.run(*self.command("--json", "--count", "50000", device=device))
        wait_until(lambda: received() - before >= 50000, "all packets arrived")
        self.assertEqual(json.loads(done.stdout)["packets"], 50000)
        self.assertEqual(received() - before, 50000)
        # It takes longer ones and drops them.
        done = sender.run(*self.command("--count", "10", "--size", "5000", device=device),
                          check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("lower --size", done.stderr)

    def test_a_receiver_that_dies_is_given_up(self):
        for number, mode in enumerate(("no", "yes")):
            with self.subTest(zero_copy=mode):
                node = Node(self.host, CONFIG, name=f"node{number}").start()
                device = (f"net_memif1,role=client,socket={node.folder}/memif.sock,"
                          f"socket-abstract=no,zero-copy={mode}")
                blast = self.host.start(*self.command("--count", "1000000000000", "--to",
                                                      "10.77.0.2:5140", device=device),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                wait_until(lambda: node.total("offered") > 10000, "messages come", process=blast)
                node.process.send_signal(signal.SIGKILL)
                node.process.wait()
                _, said = blast.communicate(timeout=DEADLINE_S)
                self.assertEqual(blast.returncode, 1, said.decode())
                self.assertIn(b"gave up", said)

    # Acknowledged messages.

    def pdp_node(self, volume='path = "{folder}/volume"\nsegment_bytes = "8MiB"\nmemory = "2MiB"',
                 door=""):
        text = (CONFIG.replace('kind = "null"', volume, 1).replace("64MiB", "96MiB")
                .replace("buffers = 2048", "buffers = 4096\nmtu = 9000")
                + f'[[door]]\nname = "pdp"\nkind = "pdp"\nlisten = ["*:7373"]\n{door}\n')
        return Node(self.host, text).start()

    def pdp(self, node, *options, zero_copy="no", check=True):
        device = (f"net_memif1,role=client,socket={node.folder}/memif.sock,socket-abstract=no,"
                  f"zero-copy={zero_copy}")
        done = run(*self.command("--pdp", "--json", "--linger", "0.05", *options, device=device),
                   check=check)
        return json.loads(done.stdout) if check else done

    def check_stored_once(self, node, told, count):
        self.assertEqual((told["messages"], told["acknowledged"], told["failed"],
                          told["unreported"]), (count, count, 0, 0))
        self.assertEqual(told["latency_us"]["count"], count)
        wait_until(lambda: node.ledger()["total"]["in_flight"]["messages"] == 0, "all durable")
        self.assertTrue(node.ledger()["balanced"])
        self.assertEqual(node.total("stored"), count)
        numbers = sorted(int(payload[:16], 16) for payload in node.payloads())
        self.assertEqual(numbers, list(range(count)))

    def test_what_is_acknowledged_as_durable_is_stored_exactly_once(self):
        node = self.pdp_node()
        told = self.pdp(node, "--count", "50007", "--size", "64", "--sessions", "3")
        self.check_stored_once(node, told, 50007)
        self.assertEqual(told["sessions"], 3)

    def test_ipv6_works_as_ipv4(self):
        node = self.pdp_node()
        for to, options in (("fd77::2", ["--size", "64"]), ("[fd77::2]", ["--packed", "8952"]),
                            ("[fd77::2]:7373", ["--sessions", "3"])):
            before = node.total("stored")
            told = self.pdp(node, "--to", to, "--from", "fd77::1", "--count", "5000", *options)
            self.assertEqual((told["acknowledged"], told["failed"]), (5000, 0))
            self.assertEqual(node.total("stored") - before, 5000)
        received = node.ledger()["ports"][0]["received"]
        self.assertGreaterEqual(received["packets"], told["packets"])

    def test_long_frames_at_a_rate_are_stored_exactly_once(self):
        node = self.pdp_node()
        histogram = self.host.folder / "latencies"
        told = self.pdp(node, "--count", "20000", "--rate", "40000", "--size", "300", "--packed",
                        "8000", "--histogram", histogram)
        self.check_stored_once(node, told, 20000)
        # Each once, though the ring was full at times: memif's own buffers would be too short.
        self.assertEqual(node.ledger()["ports"][0]["received"]["packets"], told["packets"])
        latency = told["latency_us"]
        self.assertLessEqual(latency["p50"], latency["p99"])
        self.assertLessEqual(latency["p99.9"], latency["max"])
        self.assertIn("Total count    =        20000", histogram.read_text())

    def test_packets_that_the_node_reads_where_they_are_are_stored_exactly_once(self):
        node = self.pdp_node()
        told = self.pdp(node, "--count", "200000", "--size", "300", "--packed", "8000",
                        zero_copy="yes")
        self.check_stored_once(node, told, 200000)

    def test_sealed_messages_of_idle_and_loaded_sessions_arrive(self):
        keys = self.host.folder / "keys"
        keys.write_text("load " + "5a" * 32 + "\n")
        node = self.pdp_node(door=f'pdp.keys = "{keys}"')
        told = self.pdp(node, "--count", "3000", "--idle-sessions", "100", "--key-file", keys,
                        "--key-name", "load")
        self.check_stored_once(node, told, 3000)
        self.assertEqual(told["sessions"], 101)

    def test_fire_and_forget_is_counted_as_sent(self):
        node = self.pdp_node(volume='kind = "null"')
        told = self.pdp(node, "--acks", "none", "--count", "10000", "--size", "64")
        self.assertEqual((told["sent_only"], told["acknowledged"], told["failed"]), (10000, 0, 0))
        wait_until(lambda: node.total("offered") + told["lost"] >= 10000, "all came or are missed")

    def test_a_node_without_the_key_refuses_and_the_load_says_so(self):
        keys = self.host.folder / "keys"
        keys.write_text("load " + "5a" * 32 + "\n")
        node = self.pdp_node()
        done = self.pdp(node, "--count", "1", "--key-file", keys, "--key-name", "load",
                        check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("refuses", done.stderr)

    def test_what_does_not_go_with_pdp_is_named(self):
        for options, named in (
                (["--sessions", "2"], ["--sessions", "--pdp"]),
                (["--pdp", "--sources", "2"], ["--sources", "--pdp"]),
                (["--pdp", "--packed", "9000"], ["--packed", "8972"]),
                (["--pdp", "--packed", "8972", "--to", "fd77::2"], ["--packed", "8952"]),
                (["--pdp", "--to", "fd77::2"], ["--from", "10.77.0.1", "IPv6", "fd77::1"]),
                (["--to", "[fd77::2]:514", "--from", "fd77::1"], ["--to", "--pdp"]),
                (["--pdp", "--size", "1500"], ["--size", "--packed"]),
                (["--pdp", "--acks", "some"], ["--acks"]),
                (["--pdp", "--key-name", "x"], ["--key-file"]),
                (["--pdp", "--key-name", "x", "--key-file", "/nowhere"], ["/nowhere"])):
            with self.subTest(options=options):
                done = run(*self.command("--count", "1", *options), check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                for part in named:
                    self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main()
