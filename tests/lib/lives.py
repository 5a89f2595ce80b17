"""Volumes through many lives of their node: each life has senders of its own and ends suddenly, and
everything is judged by what an observer outside knows.

The law of a life, for each shard. Its sender numbers its messages from 0 and nothing on the way
loses any, so what the books of the dead call offered are the numbers below `offered`, of which
`dropped` were dropped, `stored` are there for certain, and each of those in flight is there or
not. Offsets count what was stored without a hole, over all lives; a message that was read once is
there in every later life until retention takes it, from the front.
"""

import json
import random
import signal
import subprocess

from tests.lib.harness import BUILD, Node, let_pass, wait_until

SIZE = 1000
FILLER = " the quick brown fox jumps over the lazy dog and counts 0123456789 packets on its way;"
HEAD = {"line": "",
        "syslog": "<134>1 2026-01-01T00:00:00.000000Z host0 blast 4711 - - "}
# What retention leaves of a log at least, in messages: the oldest of six segments of 8 MiB may go.
KEPT_AT_LEAST = 30_000

SHARD = """
[[port]]
name = "mem{i}"
device = "net_memif{i},role=server,socket={{folder}}/memif{i}.sock,socket-abstract=no"
addresses = ["10.78.0.1/24"]
buffers = 4096
shards = [{i}]
[[shard]]
volume = "{volume}"
"""

VOLUME = """
[[volume]]
name = "{name}"
path = "{path}"
segment_bytes = "8MiB"
memory = "8MiB"
durability = "{durability}"
retention.max_bytes = "48MiB"
"""

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "48MiB"
SHARDSVOLUMES
[[door]]
name = "lines"
kind = "KIND"
listen = ["*:5140"]
subject = "{{source}}"
"""


def config(kind="line", durability="sync", paths=("{folder}/volume",)):
    """One shard for each volume, each with a port of its own."""
    shards = "".join(SHARD.format(i=i, volume=f"v{i}") for i in range(len(paths)))
    volumes = "".join(VOLUME.format(name=f"v{i}", path=path, durability=durability)
                      for i, path in enumerate(paths))
    return CONFIG.replace("SHARDS", shards).replace("VOLUMES", volumes).replace("KIND", kind)


class Kept:
    """What a log is known to hold: `messages[i]` has the offset first + i."""

    def __init__(self):
        self.first = 0
        self.messages = []

    @property
    def end(self):
        return self.first + len(self.messages)


class Lives:
    def __init__(self, host, seed, kind="line", durability="sync", paths=("{folder}/volume",)):
        self.host = host
        self.random = random.Random(seed)
        self.kind = kind
        self.head = HEAD[kind]
        self.tail = "".join(FILLER[i % len(FILLER)]
                            for i in range(len(self.head) + 16, SIZE)).encode()
        self.node = Node(host, config(kind, durability, paths))
        self.shards = range(len(paths))
        self.kept = {i: Kept() for i in self.shards}
        self.number = 0  # of the life
        self.senders = {}
        self.checked = 0

    # ---- One life ----

    def source(self):
        return f"10.{80 + self.number // 62500}.{self.number // 250 % 250}.{1 + self.number % 250}"

    def start_senders(self):
        for i in self.shards:
            self.senders[i] = self.host.start(
                BUILD / "penstock-blast", "--device",
                f"net_memif9,role=client,socket={self.node.folder}/memif{i}.sock,"
                "socket-abstract=no",
                "--to", "10.78.0.1:5140", "--from", self.source(), "--size", SIZE, "--payload",
                self.kind, "--seconds", 3600, "--linger", 0, "--json", "--file-prefix", f"blast{i}",
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def end_senders(self):
        """Returns how many messages each shard's sender gave away."""
        sent = {}
        for i, sender in self.senders.items():
            sender.send_signal(signal.SIGTERM)
            said = sender.communicate(timeout=60)[0]
            sent[i] = json.loads(said)["messages"] if said else 0
        self.senders = {}
        return sent

    def load(self):
        self.node.start()
        self.start_senders()
        wait_until(lambda: all(shard["stored"]["messages"] for shard in self.books()), "load",
                   process=self.node.process)
        let_pass(self.random.uniform(0, 0.15))

    def books(self):
        return self.node.ledger()["shards"]

    def die_under_load(self):
        self.load()
        self.node.kill()
        self.judge(self.end_senders())

    def die_while_draining(self):
        self.load()
        self.node.process.send_signal(signal.SIGTERM)
        let_pass(self.random.uniform(0, 0.05))
        self.node.kill()
        self.judge(self.end_senders())

    def die_while_starting(self):
        self.node.start(wait=False)
        let_pass(self.random.uniform(0, 0.3))
        self.node.kill()
        self.judge({i: 0 for i in self.shards}, began=False)

    def live(self):
        """A life that ends at a random moment of a random phase."""
        self.number += 1
        ends = [self.die_under_load] * 3 + [self.die_while_draining, self.die_while_starting]
        self.random.choice(ends)()

    def end_in_order(self):
        """The node goes on as if nothing had been."""
        self.number += 1
        self.load()
        code = self.node.drain()
        assert code == 0, f"ended with {code}"
        self.judge(self.end_senders())

    # ---- What is there after it ----

    def judge(self, sent, began=True):
        ledger = self.node.ledger() if began else None
        assert ledger is None or ledger["balanced"], ledger
        found = self.read()
        for i in self.shards:
            kept, now = self.kept[i], found[i]
            fresh = self.expect_what_was_kept(kept, now)
            trimmed = max(0, now.first - kept.end)
            numbers = [self.number_of(message) for message in fresh]
            if began:
                books = {key: ledger["shards"][i][key]["messages"]
                         for key in ("offered", "dropped", "stored", "in_flight")}
                expect_life(numbers, trimmed, books, sent[i])
            else:
                assert not fresh and not trimmed, f"{len(fresh)} messages came from nowhere"
            self.kept[i] = now

    def read(self):
        out = subprocess.run(
            [BUILD / "penstock", "read", "--config", self.node.config, "--stream", "all",
             "-f", "%p %o %u %s\n"], capture_output=True, timeout=60, check=False)
        assert out.returncode == 0, out.stderr[-2000:]
        found = {i: Kept() for i in self.shards}
        digits = len(self.head)
        for line in out.stdout.splitlines():
            log, offset, subject, payload = line.split(b" ", 3)
            now = found[int(log)]
            if not now.messages:
                now.first = int(offset)
            assert int(offset) == now.end, f"log {log}: offset {offset} follows {now.end - 1}"
            assert payload[digits + 16:] == self.tail, f"offset {offset}: {payload!r}"
            assert payload[:digits] == self.head.encode(), f"offset {offset}: {payload!r}"
            now.messages.append((subject, payload[digits:digits + 16]))
            self.checked += 1
        return found

    @staticmethod
    def expect_what_was_kept(kept, now):
        """Retention takes from the front only; returns what came behind what was there."""
        assert now.end >= kept.end, f"{kept.end - now.end} messages are gone from the end"
        assert now.first >= kept.first, "what was trimmed is back"
        least = min(KEPT_AT_LEAST, now.end)
        assert len(now.messages) >= least, f"only {len(now.messages)} messages are kept"
        shared = max(0, kept.end - now.first)
        assert now.messages[:shared] == kept.messages[len(kept.messages) - shared:], \
            "messages of an earlier life have changed"
        return now.messages[shared:]

    def number_of(self, message):
        subject, digits = message
        assert subject.decode() == self.source().replace(".", "_"), \
            f"a message of {subject} in the life of {self.source()}"
        return int(digits, 16)


def expect_life(numbers, trimmed, books, sent):
    """`numbers`: of the messages of this life that are there, behind the first `trimmed`."""
    offered, stored, in_flight = books["offered"], books["stored"], books["in_flight"]
    assert all(a < b for a, b in zip(numbers, numbers[1:])), "out of order or twice"
    assert not numbers or numbers[-1] < sent, f"{numbers[-1]} was never sent, {sent} were"
    count = trimmed + sum(number < offered for number in numbers)
    assert stored <= count <= stored + in_flight, f"{count} of {books} are there"
    if books["dropped"] == 0:
        certain = list(range(trimmed, stored))
        assert numbers[:len(certain)] == certain, f"of {books} some are missing"
