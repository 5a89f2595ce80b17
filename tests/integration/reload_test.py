"""A configuration that changes while a node works: SIGHUP makes it read it again."""

import signal
import unittest

from tests.integration.lifecycle_test import Lifecycle, config
from tests.lib.harness import wait_until

STREAM = """
[[stream]]
name = "{}"
subjects = ["{}"]
"""


class Reload(Lifecycle):
    def reload(self, node, text, says):
        """Gives the node this configuration, and waits until its log says so."""
        node.configure(text)
        seen = len(node.log.read_text())
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: says in node.log.read_text()[seen:], says, process=node.process)
        return node.log.read_text()[seen:]

    def streams(self, node):
        return {stream["name"]: stream["offered"]["messages"]
                for stream in node.ledger()["streams"]}

    def test_streams_change_under_load_and_no_message_is_missed(self):
        node = self.node_under_load(shards=2)
        both = STREAM.format("all", ">") + STREAM.format("lines", "lines.*")
        for rounds in range(20):
            before = node.total("offered")
            self.reload(node, config(2) + both, "all shards route by the new streams")
            wait_until(lambda: node.total("offered") > before + 20_000, "load")
            self.reload(node, config(2) + STREAM.format("all", ">"),
                        "all shards route by the new streams")
        self.assertEqual(node.drain(), 0)
        ledger, streams = node.ledger(), self.streams(node)
        self.assertTrue(ledger["balanced"])
        self.assertEqual(ledger["total"]["dropped_by"]["no_stream"]["messages"], 0)
        self.assertEqual(streams["all"], ledger["total"]["offered"]["messages"])
        self.assertGreater(streams["lines"], 20 * 20_000)
        self.assertLess(streams["lines"], streams["all"])
        verified = node.json("verify")
        self.assertTrue(verified["clean"])
        print(f"FIGURE name=streams_changed_under_load cases={2 * (rounds + 1)} failed=0")

    def test_what_no_stream_captures_any_more_is_dropped_under_its_cause(self):
        node = self.node_under_load()
        self.reload(node, config() + STREAM.format("other", "other.>"), "all shards route by")
        wait_until(lambda: node.ledger()["total"]["dropped_by"]["no_stream"]["messages"] > 0,
                   "messages of no stream", process=node.process)
        stored = node.total("stored")
        self.reload(node, config(), "all shards route by")
        wait_until(lambda: node.total("stored") > stored + 50_000, "load")
        self.assertEqual(node.drain(), 0)
        self.assertTrue(node.ledger()["balanced"])

    def test_a_wrong_one_is_named_and_nothing_changes(self):
        node = self.node_under_load()
        said = self.reload(node, config() + STREAM.format("all", "a..b"), "nothing is changed")
        self.assertIn("stream[0].subjects", said)
        node.configure(config())  # for who asks for the ledger
        stored = node.total("stored")
        wait_until(lambda: node.total("stored") > stored + 50_000, "load")
        self.assertEqual(set(self.streams(node)), {"all"})
        self.assertEqual(node.drain(), 0)

    def test_what_needs_a_restart_is_said_and_left(self):
        node = self.node_under_load()
        text = config(memory="16MiB") + STREAM.format("all", ">") + STREAM.format("few", "no.>")
        said = self.reload(node, text, "all shards route by the new streams")
        self.assertIn("[[volume]] differs, which needs a restart", said)
        self.assertNotIn("[[port]] differs", said)
        self.assertEqual(set(self.streams(node)), {"all", "few"})
        self.assertEqual(node.drain(), 0)


if __name__ == "__main__":
    unittest.main()
