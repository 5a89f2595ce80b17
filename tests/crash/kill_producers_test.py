"""kill -9 of a node to which four producers send what has to be durable: at random moments and at
chosen points, again and again. An observer outside holds every acknowledgement. Whatever was
acknowledged as durable is in the volume, once and in each session's order; nothing else is there
but what a producer sent and holds still."""

import os
import random
import signal
import time
import unittest

from tests.integration.pdp_test import CONFIG
from tests.lib.cable import CableTest
from tests.lib.harness import Node, figure, let_pass, run, wait_until
from tests.lib.pdp_fleet import RestlessProducer, payload

KILLS = int(os.environ.get("PENSTOCK_KILLS", "200"))
SEED = int(os.environ.get("PENSTOCK_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
# With it kills go on until this time is over.
SECONDS = float(os.environ.get("PENSTOCK_SOAK_SECONDS", "inf"))
PRODUCERS = 4
KILLS_OF_A_VOLUME = 20
JUDGED_EVERY = 10
# Calls before which the node is killed, and how many of each a life of it makes about.
CALLS = {"open": 24, "fallocate": 3, "write": 16, "fsync": 24, "rename": 3}


class KillProducers(CableTest):
    def setUp(self):
        super().setUp()
        self.connect()
        self.shim = self.host.folder / "faults.so"
        run("g++", "-std=c++23", "-O1", "-shared", "-fPIC", "-I.", "tests/crash/system_calls.cc",
            "-o", self.shim)
        self.random = random.Random(SEED)
        self.node = None
        self.producers = []
        self.addCleanup(self.end_producers)

    def test_whatever_was_acknowledged_is_there_once_and_in_order(self):
        end = time.monotonic() + SECONDS
        checked = 0
        try:
            with figure("kill_producers") as kills:
                while kills.cases < KILLS and time.monotonic() < end:
                    self.begin(f"volume{kills.cases}")
                    for _ in range(min(KILLS_OF_A_VOLUME, KILLS - kills.cases)):
                        kills.cases += 1
                        self.live_and_die()
                        if kills.cases % JUDGED_EVERY == 0:
                            self.judge()
                    checked += self.end()
        except BaseException:
            print(f"again: PENSTOCK_CRASH_SEED={SEED} PENSTOCK_KILLS={KILLS} "
                  "PENSTOCK_BUILD=build/release PYTHONPATH=. python3 tests/run/pyunit.py "
                  f"tests/crash/kill_producers_test.py\n{self.node.log.read_text()[-2000:]}")
            raise
        print(f"FIGURE name=messages_checked_producers cases={checked} failed=0")

    # ---- A volume and its producers ----

    def begin(self, name):
        durability = self.random.choice(("sync", "flush"))
        text = CONFIG.format(shards=1, sections="[[shard]]", door="").replace(
            'segment_bytes = "8MiB"',
            f'segment_bytes = "2MiB"\nblock_bytes = "64KiB"\ndurability = "{durability}"')
        self.node = Node(self.host, text, name, namespace=self.receiver)
        self.producers = []
        for i in range(PRODUCERS):
            sock = self.sender.udp_socket()
            self.addCleanup(sock.close)
            sock.connect(("10.77.0.1", 7373))
            self.producers.append(RestlessProducer(sock, b"producer %d" % i))
        for producer in self.producers:
            producer.start()

    def end(self):
        """All that the producers hold becomes durable, and nothing else is there."""
        self.node.start()
        for producer in self.producers:
            producer.rests.set()
        self.wait_for(lambda: all(not p.held for p in self.producers), "all durable")
        self.end_producers()
        self.assertEqual(self.node.drain(), 0)
        found = self.judge()
        self.assertEqual(found, [producer.next for producer in self.producers])
        self.assertTrue(self.node.json("verify")["clean"])
        run("rm", "-r", self.node.folder)
        return sum(found)

    def end_producers(self):
        for producer in self.producers:
            producer.ended.set()
        for producer in self.producers:
            producer.join()

    def wait_for(self, condition, what):
        """Not longer than a producer and the node live."""
        def holds():
            for producer in self.producers:
                if producer.error:
                    raise AssertionError(f"a producer: {producer.error}") from producer.error
            return condition()
        wait_until(holds, what, process=self.node.process)

    # ---- A life of the node ----

    def live_and_die(self):
        ends = ([self.die_under_load] * 3 + [self.die_at_an_acknowledgement] * 3
                + [self.die_at_a_call] * 2
                + [self.die_while_sessions_open, self.die_while_starting, self.die_while_draining])
        self.random.choice(ends)()
        self.wait_for_errors()

    def wait_for_errors(self):
        for producer in self.producers:
            if producer.error:
                raise AssertionError(f"a producer: {producer.error}") from producer.error

    def load(self):
        """All four have more acknowledged than when the node was started."""
        before = [producer.acknowledgements for producer in self.producers]
        self.node.start()
        self.wait_for(lambda: all(producer.acknowledgements > was
                                  for producer, was in zip(self.producers, before)), "load")

    def die_under_load(self):
        self.load()
        let_pass(self.random.uniform(0, 0.15))
        self.node.kill()

    def die_at_an_acknowledgement(self):
        """Just when the observer hears of it."""
        count = lambda: sum(producer.acknowledgements for producer in self.producers)
        before = count()
        wanted = self.random.randrange(1, 80)
        self.node.start()
        self.wait_for(lambda: count() >= before + wanted, "acknowledgements")
        self.node.kill()

    def die_while_sessions_open(self):
        count = lambda: sum(producer.openings for producer in self.producers)
        before = count()
        wanted = self.random.randrange(1, PRODUCERS + 1)
        self.node.start()
        self.wait_for(lambda: count() >= before + wanted, "sessions open")
        self.node.kill()

    def die_while_starting(self):
        self.node.start(wait=False)
        let_pass(self.random.uniform(0, 0.35))
        self.node.kill()

    def die_while_draining(self):
        self.load()
        self.node.process.send_signal(signal.SIGTERM)
        let_pass(self.random.uniform(0, 0.05))
        self.node.kill()

    def die_at_a_call(self):
        """Before a call that changes its files, or a while later when there is none such."""
        call = self.random.choice(list(CALLS))
        fault = {"LD_PRELOAD": str(self.shim), "PENSTOCK_FAULT_UNDER": str(self.node.folder),
                 "PENSTOCK_FAULT": f"{call}:{self.random.randrange(CALLS[call])}:0:0"}
        self.node.environment |= fault
        self.node.start(wait=False)
        for name in fault:
            del self.node.environment[name]
        end = time.monotonic() + 0.7
        wait_until(lambda: self.node.process.poll() is not None or time.monotonic() >= end,
                   "the call")
        self.node.kill()
        self.assertEqual(self.node.process.returncode, -signal.SIGKILL)

    # ---- What is there ----

    def judge(self):
        """Returns how many messages of each session there are."""
        # What was acknowledged before the volume is read has to be there.
        durable = [producer.durable for producer in self.producers]
        found = [0] * PRODUCERS
        number_of = {producer.session_name: i for i, producer in enumerate(self.producers)}
        for message in self.node.payloads():
            i = number_of[message.split(b":", 1)[0]]
            self.assertEqual(message, payload(self.producers[i].session_name, found[i]))
            found[i] += 1
        for i, producer in enumerate(self.producers):
            self.assertLessEqual(durable[i], found[i], f"of producer {i} some are missing")
            self.assertLessEqual(found[i], producer.next, f"of producer {i} some were never sent")
        return found


if __name__ == "__main__":
    unittest.main()
