"""Thousands of streams: each message is in every stream whose filters match, and in no other."""

import ipaddress
import unittest

from tests.integration.lifecycle_test import Lifecycle, blast_command, config
from tests.lib.harness import Node, run

STREAM = """
[[stream]]
name = "{name}"
subjects = ["{subject}"]
"""


class ThousandsOfStreams(Lifecycle):
    STREAMS = 10_000
    SOURCES = 1_000
    EACH = 3

    def config(self):
        text = config().replace('kind = "line"', 'kind = "line"\nsubject = "in.{{source}}"')
        first = ipaddress.ip_address("10.77.0.1")
        text += "".join(
            STREAM.format(name=f"s{i}", subject=f"in.{str(first + i).replace('.', '_')}")
            for i in range(self.STREAMS - 1))
        return text + STREAM.format(name="few", subject="in.10_77_0_9")

    def test_each_of_a_thousand_senders_has_its_own_among_ten_thousand(self):
        node = Node(self.host, self.config()).start()
        sent = self.SOURCES * self.EACH
        run(*blast_command(node, "--count", sent, "--sources", self.SOURCES))
        node.wait_stored(sent)
        self.assertEqual(node.drain(), 0)
        ledger = node.ledger()
        self.assertTrue(ledger["balanced"])
        streams = {stream["name"]: stream["stored"]["messages"] for stream in ledger["streams"]}
        self.assertEqual(len(streams), self.STREAMS)
        self.assertEqual({streams[f"s{i}"] for i in range(self.SOURCES)}, {self.EACH})
        self.assertEqual(sum(streams.values()), sent + self.EACH)
        # The tenth sender is 10.77.0.10, and "few" captures the ninth as "s8" does.
        self.assertEqual(node.payloads("--stream", "s8"), node.payloads("--stream", "few"))
        self.assertEqual(len(node.payloads("--stream", "s999")), self.EACH)
        self.assertEqual(node.payloads("--stream", "s1000"), [])


if __name__ == "__main__":
    unittest.main()
