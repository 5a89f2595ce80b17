"""What a shard stands on: its core, the memory and arguments of DPDK, more than it can take, and an
end before it has begun."""

import json
import os
import pathlib
import signal
import unittest

from tests.integration import lifecycle_test
from tests.integration.volume_test import VolumeTest, blast, config, numbers_of
from tests.lib.harness import Node, run, wait_until

CORES = sorted(os.sched_getaffinity(0))


def threads(node):
    """The name of each thread of a node and the cores that it may run on."""
    for status in pathlib.Path(f"/proc/{node.process.pid}/task").glob("*/status"):
        fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines()
                      if ":\t" in line)
        yield fields["Name"], fields["Cpus_allowed_list"]


def shards_of(node):
    """The cores that each shard may run on. Shards are workers of DPDK's."""
    return [cores for name, cores in threads(node) if name.startswith("rte-worker")]


def with_dpdk(text, *lines):
    return text.replace("[dpdk]", "\n".join(["[dpdk]", *lines]))


class Cores(VolumeTest):
    @unittest.skipIf(len(CORES) < 2, "one core only")
    def test_each_shard_has_the_core_that_it_was_given(self):
        text = config().replace("[[shard]]", f"[[shard]]\ncore = {CORES[1]}", 1)
        node = Node(self.host, text).start()
        self.assertEqual(shards_of(node), [str(CORES[1])])
        sent = blast(self.host, node, "--count", 5000, "--rate", 10000, "--linger", 1)
        node.wait_stored(sent["messages"])
        self.assertEqual(node.drain(), 0)

    def test_chosen_cores_are_one_each(self):
        node = Node(self.host, config()).start()
        (core,) = shards_of(node)
        self.assertIn(int(core), CORES)
        self.assertEqual(node.drain(), 0)


class Dpdk(VolumeTest):
    def check(self, text):
        node = Node(self.host, text).start()
        sent = blast(self.host, node, "--count", 5000, "--rate", 10000, "--linger", 1)
        node.wait_stored(sent["messages"])
        return node

    def huge_kilobytes(self, node):
        status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
        return int(status.split("HugetlbPages:")[1].split()[0])

    def test_arguments_are_passed_on(self):
        node = self.check(with_dpdk(config(), 'extra_args = ["--no-telemetry"]'))
        self.assertFalse([name for name, _ in threads(node) if name.startswith("telemetry")])
        self.assertEqual(node.drain(), 0)

    def test_an_argument_that_dpdk_refuses_is_named(self):
        node = Node(self.host, with_dpdk(config(), 'extra_args = ["--no-such-argument"]'))
        node.start(wait=False)
        self.assertEqual(node.process.wait(timeout=30), 1)
        self.assertIn("--no-such-argument", node.log.read_text())

    def test_without_hugepages(self):
        node = self.check(config())
        self.assertEqual(self.huge_kilobytes(node), 0)
        self.assertEqual(node.drain(), 0)

    def test_with_hugepages_and_none_left_behind(self):
        if not self.host.hugepages(256):
            self.skipTest("the host gives no hugepages")
        free = free_hugepages()
        text = config().replace('hugepages = "never"', 'hugepages = "require"')
        node = self.check(text)
        self.assertGreater(self.huge_kilobytes(node), 32 << 10)
        self.assertEqual(node.drain(), 0)
        # The kernel lets go of a ring's memory a little after its process.
        wait_until(lambda: free_hugepages() >= free, "all hugepages given back")


def free_hugepages():
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(text.split("HugePages_Free:")[1].split()[0])


class Overload(VolumeTest):
    def test_of_a_flooded_port_the_books_and_the_sender_agree(self):
        node = Node(self.host, config(memory="4MiB")).start()
        sent = blast(self.host, node, "--size", 64, "--seconds", 1, "--linger", 2)

        def port():
            port = node.ledger()["ports"][0]
            device = port["device"]
            taken = (port["received"]["packets"] + device["device_missed"]
                     + device["device_no_buffer"])
            return port if taken == sent["packets"] else None
        wait_until(port, f"all of {sent} in the books", process=node.process)
        self.expect_balanced(node)
        self.assertGreater(sent["refused"], 0, "it was flooded: a memif tells its sender")
        self.assertEqual(node.drain(), 0)
        ledger = self.expect_balanced(node)
        self.assertEqual(ledger["total"]["offered"]["messages"], sent["messages"])
        self.assertEqual(ledger["total"]["in_flight"]["messages"], 0)
        numbers = numbers_of(node.payloads())
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers), ledger["total"]["stored"]["messages"])


class Count(VolumeTest):
    """A volume outlives the number of shards that write it: the logs of those that are no more
    stay, and are gone on with when they are back."""

    MESSAGES = 2000

    def test_another_number_of_shards_after_each_end(self):
        sent = set()
        for life, (shards, killed) in enumerate(((2, True), (1, False), (2, False), (1, True))):
            node = Node(self.host, lifecycle_test.config(shards)).start()
            for port in range(shards):
                size = 100 + 10 * life + port  # tells the senders apart
                command = lifecycle_test.blast_command(
                    node, "--size", size, "--count", self.MESSAGES, "--rate", 10000, "--linger", 1,
                    port=port)
                self.assertEqual(json.loads(run(*command).stdout)["messages"], self.MESSAGES)
                sent.add(size)
            node.wait_stored(self.MESSAGES * shards)
            if killed:
                node.kill()
            else:
                self.assertEqual(node.drain(), 0)
            self.expect_balanced(node)
            self.assertTrue(node.json("verify")["clean"])
            payloads = node.payloads()
            self.assertEqual({len(payload) for payload in payloads}, sent)
            for size in sent:
                numbers = numbers_of(payload for payload in payloads if len(payload) == size)
                self.assertEqual(numbers, list(range(self.MESSAGES)))


class Start(VolumeTest):
    """Asked to end while it starts, at whatever moment."""

    MOMENTS = ("starting node", "blank, making a new volume", "memif", "ready")

    def test_sigterm_while_it_starts_ends_it_and_releases_all(self):
        for number, moment in enumerate(self.MOMENTS):
            with self.subTest(moment):
                node = Node(self.host, config(), name=f"n{number}")
                node.start(wait=False)
                wait_until(lambda node=node, moment=moment:
                           moment in node.log.read_text() or node.process.poll() is not None,
                           moment)
                node.process.send_signal(signal.SIGTERM)
                self.assertEqual(node.process.wait(timeout=30), 0, node.log.read_text())
                # Nothing holds the volume, the socket or the books.
                node.start()
                sent = blast(self.host, node, "--count", 1000, "--rate", 10000, "--linger", 1)
                node.wait_stored(sent["messages"])
                self.assertEqual(node.drain(), 0)
                self.assertTrue(node.json("verify")["clean"])


if __name__ == "__main__":
    unittest.main()
