"""What `penstock pub` shows of its progress: on a terminal, and nowhere else."""

import os
import pty
import re
import select
import subprocess
import time
import unittest

from tests.integration.pdp_test import Producers, config
from tests.lib.harness import BUILD, DEADLINE_S

NODE = "10.77.0.1:7373"
QUEUED = 100_000  # messages that a producer holds
SHOWN = re.compile(r"(?:\[(=*) *\] +(\d+) %  )?([\d,]+) messages, ([\d,]+)/s(?:, ([\d,]+) failed)?")
REMOVED = "\r\x1b[K"


class Terminal:
    """The end of a pseudo terminal at which a person sits."""

    def __init__(self, test):
        self.seen = ""
        self.person, self.program = pty.openpty()
        test.addCleanup(os.close, self.person)

    def start(self, host, command, **options):
        process = host.start(*command, stderr=self.program, **options)
        os.close(self.program)
        return process

    def read_until(self, found, what):
        """Reads on until `found` is true of all that was seen, or nobody can write any more."""
        end = time.monotonic() + DEADLINE_S
        while not found(self.seen):
            ready, _, _ = select.select([self.person], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"{what}: not within {DEADLINE_S} s; {self.seen[-300:]!r}")
            try:
                self.seen += os.read(self.person, 65536).decode()
            except OSError:  # the program's end is closed
                return

    def read_all(self):
        self.read_until(lambda _: False, "the end of the program")
        return self.seen

    def shown(self):
        """Each line of progress, whole, in order: (cells, percent, messages, rate, failed)."""
        parts = [part.removesuffix("\x1b[K") for part in self.seen.split("\r")
                 if part.endswith("\x1b[K")]
        return [SHOWN.fullmatch(part).groups() for part in parts if part]


class Progress(Producers):
    def setUp(self):
        super().setUp()
        self.connect()

    def command(self, *words):
        return self.sender.command(BUILD / "penstock", "pub", "--to", NODE, "--subject",
                                   "app.test", *words)

    def file_of(self, lines):
        path = self.host.folder / "lines"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def test_a_bar_grows_and_is_gone_when_the_summary_comes(self):
        lines = [b"%06d" % i for i in range(2 * QUEUED)]
        terminal = Terminal(self)
        process = terminal.start(self.host, self.command(self.file_of(lines)))
        # Without a node it reads what it can hold, which is half, and what it has read ahead.
        half = re.compile(r"\[={12,15} {9,12}\]  [56]\d %  0 messages, 0/s\x1b\[K")
        terminal.read_until(half.search, "half of the file is read")
        node = self.start(config())
        seen = terminal.read_all()
        self.assertEqual(process.wait(timeout=DEADLINE_S), 0, seen)
        self.assertTrue(seen.endswith(REMOVED + "200,000 messages: 200,000 durable\r\n"), seen)
        self.assertEqual(seen.count("\n"), 1, seen)
        shown = terminal.shown()
        for cells, percent, _, _, failed in shown:
            self.assertAlmostEqual(len(cells), 24 * int(percent) / 100, delta=1)
            self.assertIsNone(failed)
        for column in (1, 2):
            numbers = [int(one[column].replace(",", "")) for one in shown]
            self.assertEqual(numbers, sorted(numbers))
        self.assertEqual(len(node.payloads()), len(lines))

    def test_what_has_no_known_length_has_no_bar(self):
        read, write = os.pipe()
        terminal = Terminal(self)
        process = terminal.start(self.host, self.command(), stdin=read)
        os.close(read)
        os.write(write, b"one\n")
        terminal.read_until(lambda seen: "0 messages, 0/s\x1b[K" in seen, "nothing is stored yet")
        self.start(config())
        terminal.read_until(lambda seen: "\r1 messages, " in seen, "one message is stored")
        os.close(write)
        seen = terminal.read_all()
        self.assertEqual(process.wait(timeout=DEADLINE_S), 0, seen)
        self.assertEqual({cells for cells, *_ in terminal.shown()}, {None})
        self.assertTrue(seen.endswith(REMOVED + "1 messages: 1 durable\r\n"), seen)

    def test_a_failure_stands_on_a_line_of_its_own(self):
        self.start(config())
        terminal = Terminal(self)
        process = terminal.start(self.host, self.command(self.file_of([b"a", b"x" * 9500, b"b"])))
        seen = terminal.read_all()
        self.assertEqual(process.wait(timeout=DEADLINE_S), 1, seen)
        self.assertIn(f"{REMOVED}penstock: {self.host.folder}/lines:2: longer than a frame", seen)

    def test_nothing_moves_where_it_is_not_wanted_or_nobody_sits(self):
        self.start(config())
        path = self.file_of(self.lines(0, 20_000))
        terminal = Terminal(self)
        process = terminal.start(self.host, self.command("--quiet", path))
        self.assertEqual((terminal.read_all(), process.wait(timeout=DEADLINE_S)), ("", 0))
        done = subprocess.run(self.command(path), capture_output=True, check=False,
                              timeout=DEADLINE_S)
        self.assertEqual(done.stderr, b"20,000 messages: 20,000 durable\n")


if __name__ == "__main__":
    unittest.main()
