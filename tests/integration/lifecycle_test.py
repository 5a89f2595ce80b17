"""A node from its start to its end: bad configurations, full load, orderly and sudden ends, and the
books at every moment."""

import json
import pathlib
import signal
import subprocess
import unittest

from tests.lib.harness import BUILD, Host, Node, run, wait_until

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "64MiB"
PORTS
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "32MiB"
memory = "MEMORY"
retention.max_bytes = "256MiB"
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
"""

PORT = """
[[shard]]
[[port]]
name = "mem{number}"
device = "net_memif{number},role=server,socket={{folder}}/memif{number}.sock,socket-abstract=no"
addresses = ["10.78.0.1/24"]
buffers = 4096
shards = [{number}]
"""


def config(shards=1, memory="32MiB"):
    ports = "".join(PORT.format(number=i) for i in range(shards))
    return CONFIG.replace("PORTS", ports).replace("MEMORY", memory)


def blast_command(node, *options, port=0):
    return [str(word) for word in (
        BUILD / "penstock-blast", "--device",
        f"net_memif9,role=client,socket={node.folder}/memif{port}.sock,socket-abstract=no",
        "--to", "10.78.0.1:5140", "--json", *options)]


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.host = Host("lifecycle")
        self.addCleanup(self.host.close)

    def node_under_load(self, shards=1):
        """A node, and a generator that does not end by itself."""
        node = Node(self.host, config(shards)).start()
        self.load(node)
        wait_until(lambda: node.total("stored") > 50_000, "load", process=node.process)
        return node

    def load(self, node):
        return self.host.start(*blast_command(node, "--seconds", 3600), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)


class OrderlyEnd(Lifecycle):
    ROUNDS = 5

    def check_books_of_the_ended(self, node):
        ledger = node.ledger()
        total = {key: ledger["total"][key]["messages"] for key in (
            "offered", "stored", "dropped", "in_flight")}
        self.assertTrue(ledger["balanced"], ledger["imbalances"])
        self.assertEqual((ledger["alive"], ledger["ended"]), (False, True))
        self.assertEqual(total["in_flight"], 0)
        self.assertEqual(total["offered"], total["stored"] + total["dropped"])
        self.assertEqual([port["held"]["packets"] for port in ledger["ports"]], [0])
        return total

    def test_sigterm_under_load_loses_nothing_that_was_taken(self):
        node = Node(self.host, config().replace('retention.max_bytes = "256MiB"', "")).start()
        kept = 0
        for number in range(self.ROUNDS):
            if number > 0:
                node.start()
            generator = self.load(node)
            wait_until(lambda: node.total("stored") > 50_000, "load", process=node.process)
            self.assertEqual(node.drain(), 0, node.log.read_text()[-2000:])
            generator.kill()
            generator.wait()
            kept += self.check_books_of_the_ended(node)["stored"]
            verified = node.json("verify")
            self.assertTrue(verified["clean"])
            self.assertEqual(verified["volumes"][0]["total"]["messages"], kept)
        print(f"FIGURE name=drains_under_load cases={self.ROUNDS} failed=0")

    def test_sigint_ends_it_as_well(self):
        node = self.node_under_load()
        node.process.send_signal(signal.SIGINT)
        self.assertEqual(node.process.wait(timeout=60), 0)
        self.check_books_of_the_ended(node)

    def test_nobody_reading_its_log_does_not_end_it(self):
        node = Node(self.host, config())
        process = self.host.start(BUILD / "penstockd", "--config", node.config,
                                  stderr=subprocess.PIPE)
        while b" ready" not in process.stderr.readline():
            pass
        process.stderr.close()
        process.send_signal(signal.SIGTERM)  # of which it would like to tell
        self.assertEqual(process.wait(timeout=60), 0)

    def test_an_idle_node_ends_at_once_and_its_ledger_stays(self):
        node = Node(self.host, config()).start()
        self.assertEqual(node.drain(), 0)
        self.assertEqual(self.check_books_of_the_ended(node)["offered"], 0)
        self.assertIn("ended in order", node.penstock("ledger").stdout)


class Books(Lifecycle):
    LOOKS = 50

    def test_balance_at_every_look_under_full_load(self):
        node = self.node_under_load()
        offered, failed = [], 0
        for _ in range(self.LOOKS):
            ledger = node.ledger()
            failed += not ledger["balanced"]
            offered.append(ledger["total"]["offered"]["messages"])
            self.assertTrue(ledger["alive"])
        print(f"FIGURE name=balance_looks cases={self.LOOKS} failed={failed}")
        self.assertEqual(failed, 0)
        self.assertEqual(offered, sorted(offered))
        self.assertGreater(offered[-1], offered[0])
        self.assertEqual(node.drain(), 0)

    def test_of_a_killed_node_can_be_read(self):
        node = self.node_under_load()
        before = node.total("stored")
        node.kill()
        ledger = node.ledger()
        self.assertEqual((ledger["alive"], ledger["ended"]), (False, False))
        self.assertTrue(ledger["balanced"], ledger["imbalances"])
        self.assertGreaterEqual(ledger["total"]["stored"]["messages"], before)
        table = node.penstock("ledger")
        self.assertIn("gone without an orderly end", table.stdout)
        self.assertIn("The books balance.", table.stdout)

    def test_of_a_running_node_are_not_taken_over_by_another(self):
        node = Node(self.host, config()).start()
        second = Node(self.host, config(), name="second")
        second.config.write_text(
            second.config.read_text().replace(str(second.runtime), str(node.runtime)))
        done = run(BUILD / "penstockd", "--config", second.config, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"node.runtime_dir {node.runtime} is that of a running node", done.stderr)
        self.assertIn("directory of its own", done.stderr)
        self.assertFalse((second.folder / "volume").exists())
        ledger = node.ledger()
        self.assertEqual((ledger["pid"], ledger["alive"]), (node.process.pid, True))

    def test_tell_every_user_whether_the_node_runs(self):
        node = Node(self.host, config()).start()
        for folder in (self.host.folder, node.folder, node.runtime):
            folder.chmod(0o755)
        as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                     BUILD / "penstock", "ledger", "--ledger", node.runtime / "ledger")
        self.assertIn("running as process", run(*as_nobody).stdout)
        node.kill()
        self.assertIn("gone without an orderly end", run(*as_nobody).stdout)

    def test_begin_anew_with_the_next_start(self):
        node = self.node_under_load()
        self.assertEqual(node.drain(), 0)
        node.start()
        self.assertEqual(node.total("offered"), 0)

    def test_are_watched_across_another_configuration(self):
        door = '[[door]]\nname = "more"\nkind = "line"\nlisten = ["*:9"]\n'
        stream = '[[stream]]\nname = "{0}"\nsubjects = ["{0}.>"]\n'
        # As many accounts, of other kinds.
        node = Node(self.host, config() + door + stream.format("a")).start()
        watches = [self.host.start(BUILD / "penstock", "stat", "--config", node.config, "--watch",
                                   "--interval", "5ms", *options, stdout=subprocess.PIPE)
                   for options in (("--format", "json"), ())]
        watch, table = watches
        for one in watches:
            self.addCleanup(one.stdout.close)
            one.stdout.readline()
        node.drain()
        other = config() + stream.format("a") + stream.format("b")
        node.config.write_text(other.format(
            folder=node.folder, runtime=node.runtime, name="other"))
        node.start()
        look = {}
        while look.get("node") != "other":
            look = json.loads(watch.stdout.readline())
        self.assertEqual([one["name"] for one in look["streams"]], ["a", "b"])
        self.assertEqual([one["name"] for one in look["doors"]], ["lines"])
        for one in watches:
            one.send_signal(signal.SIGINT)
        self.assertNotIn(b"\x1b", table.communicate()[0])
        watch.communicate()
        self.assertEqual([one.wait(timeout=60) for one in watches], [0, 0])

    def test_of_a_node_that_never_ran_is_exit_4(self):
        node = Node(self.host, config())
        for words in (["ledger"], ["stat"], ["ledger", "--format", "json"]):
            done = node.penstock(*words, check=False)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("no node has run with this configuration", done.stderr)
            self.assertEqual(done.stdout, "")


class Memory(Lifecycle):
    """What a node takes at its peak, flat out, against what `config check` promises."""

    MESSAGES = 500_000
    SLACK = 1.05

    def check_bound(self, shards, memory):
        node = Node(self.host, config(shards, memory), name=f"m{shards}{memory}").start()
        for port in range(shards):
            # What is in the ring when the generator leaves is gone: it stays for a slow shard.
            run(*blast_command(node, "--count", self.MESSAGES // shards, "--seconds", 60,
                               "--size", 300, "--linger", 2, port=port), timeout=120)
        wait_until(lambda: node.total("offered") >= self.MESSAGES
                   and node.total("in_flight") == 0,
                   f"every message accounted for: {node.ledger()['total']}", process=node.process)
        bound = node.json("config", "check")["memory_bound"]
        status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
        peak = 1024 * int(next(line for line in status.splitlines()
                               if line.startswith("VmHWM")).split()[1])
        self.assertEqual(node.drain(), 0)
        print(f"{shards} shards, volume.memory {memory}: peak {peak >> 20} MiB, "
              f"bound {bound >> 20} MiB")
        return peak <= self.SLACK * bound

    def test_stays_within_its_bound(self):
        cases = [(shards, memory) for shards in (1, 2) for memory in ("4MiB", "256MiB")]
        within = [self.check_bound(*case) for case in cases]
        print(f"FIGURE name=memory_bound cases={len(cases)} failed={within.count(False)}")
        self.assertTrue(all(within), dict(zip(cases, within)))

    def test_a_limit_below_the_bound_is_refused(self):
        text = config().replace("[node]", '[node]\nmemory_limit = "64MiB"')
        node = Node(self.host, text)
        done = run(BUILD / "penstockd", "--config", node.config, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{node.config}:3: node.memory_limit: ", done.stderr)
        self.assertIn("raise the limit", done.stderr)


class BadConfiguration(Lifecycle):
    # What is replaced, with what, the line and key that are named, and words of the remedy.
    CASES = (
        ('memory = "64MiB"', 'memory = "64MB/s"', 7, "dpdk.memory", "KiB"),
        ("kind = ", "kint = ", 25, "door[0].kint", "did you mean 'kind'"),
        ('listen = ["*:5140"]', "", 23, "door[0].listen", "UDP addresses"),
        ('listen = ["*:5140"]', 'listen = ["*:514000"]', 26, "door[0].listen", "514000"),
        ("shards = [0]", "shards = [3]", 15, "port[0].shards", "there is no shard 3"),
        ("buffers = 4096", "buffers = 0", 14, "port[0].buffers", "512"),
        ('"{folder}/volume"', "7", 19, "volume[0].path", "string in quotes"),
        ('name = "main"', 'name = "main', 18, "", "column 1"),
        ('"{folder}/volume"', '"volume"', 19, "volume[0].path", "absolute path"),
        ("net_memif0", "net_mimif0", 12, "port[0].device", "did you mean"),
    )

    def check_case(self, good, before, after, line, key, remedy):
        self.assertIn(before, good)
        node = Node(self.host, good.replace(before, after))
        place = f"{node.config}:{line}: {key}"
        for command in ([BUILD / "penstockd", "--config", node.config],
                        [BUILD / "penstockd", "--check", "--config", node.config],
                        [BUILD / "penstock", "config", "check", node.config],
                        [BUILD / "penstock", "read", "--config", node.config]):
            done = run(*command, check=False)
            said = done.stdout + done.stderr
            self.assertEqual(done.returncode, 2, said)
            named = [one for one in said.splitlines() if place in one]
            self.assertTrue(named, f"{place} is not in: {said}")
            self.assertIn(remedy, named[0])
        told = json.loads(run(BUILD / "penstock", "config", "check", node.config, "--format",
                              "json", check=False).stdout)
        self.assertFalse(told["good"])
        said = [one["what"] for one in told["problems"] if (one["line"], one["key"]) == (line, key)]
        self.assertTrue(said, told["problems"])
        self.assertIn(remedy, said[0])
        self.assertFalse(list(node.runtime.iterdir()), "a refused configuration leaves nothing")

    def test_names_line_key_and_remedy(self):
        good = config()
        for case in self.CASES:
            with self.subTest(case=case):
                self.check_case(good, *case)

    def test_a_core_that_is_not_there_is_refused_before_anything_starts(self):
        for key, line in (("dpdk.main_core", "[dpdk]\nmain_core = 1000"),
                          ("shard[0].core", "[dpdk]")):
            text = config().replace("[dpdk]", line)
            if key.startswith("shard"):
                text = text.replace("[[shard]]", "[[shard]]\ncore = 1000")
            node = Node(self.host, text)
            for check in (["--check"], []):
                done = run(BUILD / "penstockd", *check, "--config", node.config, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"{key} = 1000 is not a core of this process; it may run on",
                              done.stderr)

    def with_keys(self, text, mode):
        """A node whose PDP door names that file of keys; without a text there is none."""
        keys = self.host.folder / "keys"
        if text is not None:
            keys.write_text(text)
            keys.chmod(mode)
        door = f'[[door]]\nname = "pdp"\nkind = "pdp"\nlisten = ["*:7373"]\npdp.keys = "{keys}"\n'
        node = Node(self.host, config() + door)
        line = node.config.read_text().splitlines().index(f'pdp.keys = "{keys}"') + 1
        return node, f"{node.config}:{line}: door[1].pdp.keys: ", keys

    def test_wrong_keys_are_told_with_file_line_and_remedy_before_anything_starts(self):
        good = "a " + "5a" * 32 + "\n"
        for text, told in ((None, "open {}: No such file or directory; it has to be there"),
                           (good + "b 5a\n", "{}:2: no 64 hexadecimal digits behind the name"),
                           (good + good, "{}:2: a key of this name is in line 1 already")):
            node, place, keys = self.with_keys(text, 0o600)
            for command in ([BUILD / "penstockd", "--config", node.config],
                            [BUILD / "penstockd", "--check", "--config", node.config],
                            [BUILD / "penstock", "config", "check", node.config]):
                done = run(*command, check=False)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 2, said)
                self.assertIn(place + told.format(keys), said)
            self.assertFalse(list(node.runtime.iterdir()))

    def test_keys_that_everybody_can_read_are_warned_of(self):
        node, place, keys = self.with_keys("a " + "5a" * 32 + "\n", 0o644)
        warning = f"warning: {place}everybody on this host can read {keys}; chmod o-r it\n"
        self.assertEqual(run(BUILD / "penstockd", "--check", "--config", node.config).stderr,
                         warning)
        done = run(BUILD / "penstock", "config", "check", node.config)
        self.assertTrue(done.stdout.startswith(warning), done.stdout)
        told = json.loads(run(BUILD / "penstock", "config", "check", node.config, "--format",
                              "json").stdout)
        self.assertTrue(told["good"])
        self.assertEqual([one["key"] for one in told["warnings"]], ["door[1].pdp.keys"])
        self.assertEqual(node.penstock("ledger", check=False).returncode, 4,
                         "who only reads needs no keys")

    def test_a_good_one_passes_the_check_and_starts_nothing(self):
        node = Node(self.host, config())
        done = run(BUILD / "penstockd", "--check", "--config", node.config)
        self.assertEqual((done.stderr, list(node.runtime.iterdir())), ("", []))
        self.assertFalse((node.folder / "volume").exists())

    def test_a_missing_file_is_named(self):
        missing = self.host.folder / "missing.toml"
        done = run(BUILD / "penstockd", "--config", missing, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(str(missing), done.stderr)

    def test_a_wrong_option_is_refused(self):
        done = run(BUILD / "penstockd", "--configuration", "x", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--configuration", done.stderr)


if __name__ == "__main__":
    unittest.main()
