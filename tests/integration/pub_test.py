"""`penstock pub`: nothing it calls durable is lost, whatever becomes of the node meanwhile."""

import json
import os
import signal
import subprocess
import unittest

from tests.integration.pdp_test import Producers, config
from tests.lib.harness import BUILD, DEADLINE_S, wait_until

NODE = "10.77.0.1:7373"


class Pub(Producers):
    def setUp(self):
        super().setUp()
        self.connect()

    def pub(self, *words, **options):
        command = self.sender.command(BUILD / "penstock", "pub", "--to", NODE, "--subject",
                                      "app.test", *words)
        options.setdefault("timeout", DEADLINE_S)
        return subprocess.run(command, capture_output=True, check=False, **options)

    def file_of(self, lines, name="lines"):
        path = self.host.folder / name
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def test_each_line_of_a_file_is_a_message_and_durable_at_the_end(self):
        node = self.start(config())
        lines = self.lines(0, 5000) + [b"", b"no newline at the end of the file"]
        path = self.host.folder / "lines"
        path.write_bytes(b"\n".join(lines))
        done = self.pub("--durable", path)
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertIn(b"5,002 messages: 5,002 durable", done.stderr)
        self.assertEqual(sorted(node.payloads()), sorted(lines))

    def test_standard_input_and_whole_files_are_taken_too(self):
        node = self.start(config())
        self.assertEqual(self.pub(input=b"a\nb\n").returncode, 0)
        whole = self.file_of([b"two", b"lines"])
        self.assertEqual(self.pub("--whole", whole).returncode, 0)
        self.assertEqual(node.payloads(), [b"a", b"b", b"two\nlines\n"])

    def test_kill_9_of_the_node_costs_nothing_but_time(self):
        node = self.start(config())
        lines = [b"%d " % i + b"x" * 200 for i in range(200_000)]
        path = self.file_of(lines)
        command = self.sender.command(BUILD / "penstock", "pub", "--to", NODE, "--subject",
                                      "app.test", "--durable", "-X", "session.sockets=1", path)
        process = self.host.start(*command, stderr=subprocess.PIPE)
        for _ in range(3):
            wait_until(lambda: node.total("stored") > 1000, "the node stores", process=process)
            node.kill()
            node.start()
        _, error = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, error)
        self.assertEqual(node.payloads(), lines)

    def test_a_named_session_goes_on_where_it_was_interrupted(self):
        node = self.start(config())
        lines = [b"%d " % i + b"x" * 200 for i in range(100_000)]
        path = self.file_of(lines)
        command = self.sender.command(BUILD / "penstock", "pub", "--to", NODE, "--subject",
                                      "app.test", "--session", "import", path)
        process = self.host.start(*command, stderr=subprocess.DEVNULL)
        wait_until(lambda: node.total("stored") > 1000, "the node stores", process=process)
        process.kill()
        process.wait()
        done = self.pub("--session", "import", "--format", "json", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertGreaterEqual(told["stored_before"], 1000)
        self.assertEqual(told["stored_before"] + told["acknowledged"], len(lines))
        self.assertEqual(node.payloads(), lines)

    def test_a_named_session_ends_at_a_line_that_fails_and_goes_on_without_it(self):
        node = self.start(config())
        for length, name in ((9500, "import"), (5000, "other")):  # for any frame, for this path
            lines = [b"%s %d" % (name.encode(), i) for i in range(500)]
            bad = [*lines[:200], b"x" * length, *lines[200:]]
            before = len(node.payloads())
            for _ in range(2):
                done = self.pub("--session", name, self.file_of(bad))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"lines:201: shorten it or take it out", done.stderr)
                self.assertEqual(node.payloads()[before:], lines[:200])
            done = self.pub("--session", name, self.file_of(lines))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(node.payloads()[before:], lines)

    def test_a_named_session_gives_up_as_a_whole(self):
        done = self.pub("--session", "import", "--give-up", "1", input=b"a\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"nothing was acknowledged for 1 seconds", done.stderr)
        done = self.pub("--session", "import", "-X", "message.timeout.ms=5", input=b"a\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--give-up", done.stderr)

    def test_what_no_stream_captures_fails_and_says_why(self):
        self.start(config() + '[[stream]]\nname = "only"\nsubjects = ["other.>"]\n')
        done = self.pub(input=b"a\nb\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no stream of the node captures the subject", done.stderr)
        self.assertIn(b"2 failed", done.stderr)

    def test_a_line_that_no_frame_takes_costs_only_itself(self):
        node = self.start(config())
        lines = [b"a", b"x" * 9500, b"b", b"y" * 9500]
        done = self.pub(self.file_of([b"0"], "before"), self.file_of(lines))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"lines:2: longer than a frame may be", done.stderr)
        self.assertIn(b"5 messages: 3 durable, 2 failed", done.stderr)
        self.assertIn(b"lines:2\n", done.stderr)
        self.assertEqual(sorted(node.payloads()), [b"0", b"a", b"b"])
        done = self.pub("--format", "json", self.file_of(lines))
        self.assertEqual(done.returncode, 1, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["acknowledged"], told["failed"]), (2, 2))
        self.assertRegex(told["first_failed"], "lines:2$")

    def test_what_is_before_a_file_that_is_missing_is_stored(self):
        node = self.start(config())
        done = self.pub(self.file_of([b"a", b"b"]), self.host.folder / "nowhere")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"nowhere", done.stderr)
        self.assertIn(b"2 messages: 2 durable", done.stderr)
        self.assertEqual(node.payloads(), [b"a", b"b"])

    def test_a_node_that_is_not_there_is_waited_for_until_it_is_given_up(self):
        done = self.pub("--give-up", "1", input=b"a\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not sent in time", done.stderr)

    def test_a_node_that_refuses_for_good_is_not_waited_for(self):
        keys = self.host.folder / "keys"
        keys.write_text("site " + "a" * 64 + "\n")
        keys.chmod(0o600)
        self.start(config(door=f'pdp.keys = "{keys}"\npdp.keys_required = ["0.0.0.0/0"]\n'))
        done = self.pub(self.file_of([b"a"]))
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(b"a key is needed", done.stderr)
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        done = self.pub(stdin=read)
        os.close(read)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(b"a key is needed", done.stderr)

    def test_an_interrupt_says_what_was_stored(self):
        node = self.start(config())
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        command = self.sender.command(BUILD / "penstock", "pub", "--to", NODE, "--subject",
                                      "app.test")
        process = self.host.start(*command, stdin=read, stderr=subprocess.PIPE)
        os.close(read)
        os.write(write, b"one\n")
        node.wait_stored(1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn(b"1 messages: 1 durable", error)

    def test_wrong_words_are_refused_with_the_way_out(self):
        for words, told in (
                (["--acks", "perhaps"], b"durable"),
                (["-X", "linger"], b"NAME=VALUE"),
                (["-X", "lingerms=5"], b"linger.ms"),
                (["/nowhere/file"], b"/nowhere/file"),
                (["--session", "x" * 100], b"session.name")):
            done = self.pub(*words, input=b"")
            self.assertNotEqual(done.returncode, 0, words)
            self.assertIn(told, done.stderr, words)


if __name__ == "__main__":
    unittest.main()
