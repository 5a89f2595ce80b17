"""`penstock` as a user and a script see it: what it prints of a known content, and its exit
codes."""

import datetime
import json
import signal
import subprocess
import time
import unittest

from tests.lib.harness import BUILD, Host, Node, run

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "lan0"
device = "net_af_packet0,iface=port0,qpairs=2,framesz=2048,blocksz=4096,framecnt=2048"
addresses = ["10.77.0.1/24"]
buffers = 4096
[[shard]]
[[shard]]
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "1MiB"
block_bytes = "64KiB"
memory = "2MiB"
[[door]]
name = "syslog"
kind = "syslog"
listen = ["*:514"]
[[door]]
name = "raw"
kind = "line"
framing = "datagram"
listen = ["*:5140"]
subject = "app.{{port}}.{{door}}"
[[stream]]
name = "logs"
subjects = ["syslog.>"]
[[stream]]
name = "raw"
subjects = ["app.>"]
"""

FIRST = [b"first %d" % i for i in range(300)]
SYSLOG = [b"<%d>1 2026-11-23T10:00:00Z db%d postgres - - - line %d" % (priority, i % 2, i)
          for i, priority in enumerate([34, 131, 14, 191] * 10)]
ODD = [b"\xff\xfe\x00 not UTF-8", "ünïcödé".encode(), b"two\nlines\n", b'"quoted"\\']
LAST = [b"last %d" % i for i in range(300)]
RAW = FIRST + ODD + LAST


def rfc3339(nanos):
    date = datetime.datetime.fromtimestamp(nanos // 10**9, datetime.UTC)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{nanos % 10**9:09}Z"


class Cli(unittest.TestCase):
    """One node with two shards and a known content for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host("cli")
        cls.addClassCleanup(cls.host.close)
        cls.sender = cls.host.namespace("sender")
        receiver = cls.host.namespace("node")
        cls.host.veth(cls.sender, "eth0", receiver, "port0", queues=2)
        cls.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
        cls.node = Node(cls.host, CONFIG, namespace=receiver).start()
        cls.sender.run("ping", "-c", "1", "-W", "10", "10.77.0.1")
        cls.send(FIRST)
        cls.send(SYSLOG, 514)
        cls.send(ODD)
        cls.node.wait_stored(len(FIRST) + len(SYSLOG) + len(ODD))
        cls.between = time.time_ns()
        cls.send(LAST)
        cls.node.wait_stored(len(RAW) + len(SYSLOG))

    @classmethod
    def send(cls, payloads, port=5140):
        """From twenty ports, so that both shards get their part."""
        for i in range(0, len(payloads), max(1, len(payloads) // 20)):
            with cls.sender.udp_socket() as sender:
                for payload in payloads[i:i + max(1, len(payloads) // 20)]:
                    sender.sendto(payload, ("10.77.0.1", port))


class Other(Cli):
    def test_stat_gives_rates(self):
        stat = self.node.json("stat", "--interval", "100ms")
        self.assertEqual((stat["alive"], stat["balanced"]), (True, True))
        self.assertAlmostEqual(stat["seconds"], 0.1, delta=2)
        self.assertEqual([port["name"] for port in stat["ports"]], ["lan0"])
        self.assertEqual([door["name"] for door in stat["doors"]], ["syslog", "raw"])
        self.assertEqual([stream["name"] for stream in stat["streams"]], ["logs", "raw"])
        self.assertEqual([shard["shard"] for shard in stat["gauges"]], [0, 1])
        table = self.node.penstock("stat", "--interval", "10ms").stdout
        for head in ("PORT", "DOOR", "STREAM", "SHARD", "PACKETS/S", "BLOCKS FREE"):
            self.assertIn(head, table)

    def test_stat_watches_until_interrupted(self):
        watch = self.host.start(BUILD / "penstock", "stat", "--config", self.node.config, "--watch",
                                "--interval", "10ms", "--format", "json", stdout=subprocess.PIPE)
        looks = [json.loads(watch.stdout.readline()) for _ in range(3)]
        self.assertTrue(all(look["alive"] for look in looks))
        watch.send_signal(signal.SIGINT)
        watch.stdout.read()
        watch.stdout.close()
        self.assertEqual(watch.wait(timeout=60), 0)

    def test_ledger_by_door_and_stream(self):
        ledger = self.node.ledger()
        stored = {door["name"]: door["stored"]["messages"] for door in ledger["doors"]}
        self.assertEqual(stored, {"syslog": len(SYSLOG), "raw": len(RAW)})
        stored = {stream["name"]: stream["stored"]["messages"] for stream in ledger["streams"]}
        self.assertEqual(stored, {"logs": len(SYSLOG), "raw": len(RAW)})
        table = self.node.penstock("ledger").stdout
        self.assertIn("The books balance.", table)

    def test_segment_list_and_dump(self):
        segments = self.node.json("segment", "list")
        self.assertEqual({s["log"] for s in segments}, {0, 1})
        messages = 0
        for segment in segments:
            dump = self.node.json("segment", "dump", "--slot", segment["slot"])
            self.assertEqual(dump["generation"], segment["generation"])
            position = 1
            for block in dump["blocks"]:
                self.assertEqual(block["position"], position)
                position += block["length"] // 4096
                self.assertEqual(block["messages"], sum(c["messages"] for c in block["captures"]))
                messages += block["messages"]
            self.assertEqual(dump["end_position"], position)
        self.assertEqual(messages, len(RAW) + len(SYSLOG))
        listed = self.node.penstock("segment", "list").stdout.splitlines()
        self.assertEqual(len(listed), 1 + len(segments))
        self.assertIn("POSITION", self.node.penstock("segment", "dump", "--slot",
                                                     segments[0]["slot"]).stdout)

    def test_config_explain_and_keys(self):
        keys = self.node.penstock("config", "keys").stdout.split()
        explained = self.node.json("config", "explain")
        self.assertEqual([key["key"] for key in explained], keys)
        self.assertTrue(all(key["help"] and key["type"] for key in explained))
        port = self.node.json("config", "explain", "port")
        self.assertEqual([key["key"] for key in port], [k for k in keys if k.startswith("port.")])
        linger = self.node.penstock("config", "explain", "volume.linger").stdout
        self.assertIn('type: duration; default: "2ms"', linger)

    def test_help_and_version(self):
        all_commands = self.node.penstock("help", "--all").stdout.splitlines()
        for words in ["penstock", *all_commands]:
            path = words.split()[1:]
            text = run(BUILD / "penstock", "help", *path).stdout
            self.assertEqual(text, run(BUILD / "penstock", *path, "--help").stdout, words)
        version = run(BUILD / "penstock", "version").stdout
        self.assertIn("format 2", version)
        self.assertTrue(version.startswith(run(BUILD / "penstock", "--version").stdout.strip()))
        for program in ("penstock", "penstockd", "penstock-blast"):
            text = run(BUILD / program, "--help").stdout
            self.assertTrue(text.replace("\n", "").isprintable(), text)


class Output(Cli):
    """Where it goes wrong: no room, nobody there, not text."""

    def shell(self, script, *words):
        return run("bash", "-c", script, "bash", BUILD / "penstock", *words, check=False)

    def test_what_cannot_be_written_is_a_failure(self):
        config = ("--config", self.node.config)
        for words in (["version"], ["config", "keys"], ["config", "explain"], ["help"],
                      ["ledger", *config], ["read", *config], ["--version"]):
            for where in (">/dev/full", ">&-"):
                done = self.shell(f'"$@" {where}', *words)
                self.assertEqual(done.returncode, 1, (words, where, done.stderr))
                self.assertIn("penstock: ", done.stderr)

    def test_a_reader_that_has_seen_enough_ends_it_quietly(self):
        for before in ("", "trap '' PIPE;"):
            for _ in range(5):
                done = self.shell(f'{before} "$@" | head -1', "read", "--config", self.node.config)
                self.assertEqual((len(done.stdout.splitlines()), done.stderr), (1, ""))

    def test_names_that_are_no_text_are_no_disaster(self):
        odd = bytes(self.host.folder) + b"/\xff.toml"
        for words in (["config", "check"], ["verify"]):
            done = subprocess.run([BUILD / "penstock", *words, odd, "--format", "json"],
                                  capture_output=True, check=False)
            self.assertIn(done.returncode, (2, 3), done.stderr)
        told = json.loads(subprocess.run([BUILD / "penstock", "config", "check", odd, "--format",
                                          "json"], capture_output=True, check=False).stdout)
        self.assertEqual(told["file"], f"{self.host.folder}/\ufffd.toml")

    def test_an_interrupted_read_is_not_a_whole_one(self):
        read = self.host.start(BUILD / "penstock", "read", "--config", self.node.config,
                               "--volume", *[self.node.folder / "volume"] * 40, "--format", "json",
                               stdout=subprocess.PIPE)
        self.addCleanup(read.stdout.close)
        read.stdout.readline()  # more than a pipe holds is to come
        read.send_signal(signal.SIGINT)
        read.stdout.read()
        self.assertEqual(read.wait(timeout=60), 130)


class ExitCodes(Cli):
    """0: the tests above; 4, of a node that never ran: lifecycle_test."""

    def check(self, code, says, *words):
        done = run(BUILD / "penstock", *words, check=False)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        self.assertIn(says, done.stderr + done.stdout)

    def test_1_failed(self):
        foreign = self.host.folder / "foreign"
        foreign.mkdir(exist_ok=True)
        (foreign / "volume").write_bytes(b"something else" * 400_000)
        self.check(1, "bad magic", "read", "--volume", foreign)

    def test_2_wrong_command_line(self):
        config = ("--config", self.node.config)
        self.check(2, "subcommand", *config)
        self.check(2, "--ofset", "read", *config, "--ofset", "3")
        self.check(2, "xml", "ledger", *config, "--format", "xml")
        self.check(2, "'soon' is no place to start", "read", *config, "-o", "soon")
        self.check(2, "'>' stands at the end only", "read", *config, "--subject", ">.a")
        self.check(2, "unknown field", "read", *config, "-f", "%z")
        self.check(2, "unknown escape", "read", *config, "-f", r"\q")
        self.check(2, "--interval 'often'", "stat", *config, "--interval", "often")
        self.check(2, "--slot", "segment", "dump", *config)
        self.check(2, "--config FILE names another", "read", "--config", "/nonexistent.toml")
        self.check(2, "--count", "read", *config, "-c", "-5")
        self.check(2, "--slot", "segment", "dump", *config, "--slot", "-1")
        self.check(2, "excludes", "read", *config, "-f", "%s", "--format", "json")
        self.check(2, "offsets are a stream's: name one", "read", *config, "-o", "5")

    def test_a_refusal_names_what_is_wrong_in_one_short_line(self):
        config = ("--config", self.node.config)
        for wrong, words in (
                ("frob", ["frob"]), ("lst", ["segment", "lst"]), ("chek", ["config", "chek"]),
                ("xml not in {json,raw,text}", ["read", "--format", "xml"]),
                ("1 not in {json,raw,text}", ["read", "--format", "1"]),
                ("xml not in {json,table}", ["ledger", "--format", "xml"]),
                ("0", ["read", "--count", "0"]), ("-1", ["segment", "dump", "--slot", "-1"])):
            done = run(BUILD / "penstock", *words, *config, check=False)
            self.assertEqual(done.returncode, 2, (words, done.stdout, done.stderr))
            line = done.stderr.splitlines()[0]
            self.assertIn(wrong, line)
            self.assertTrue(line.isprintable() and len(line) < 120, repr(line))

    def test_3_not_there(self):
        config = ("--config", self.node.config)
        self.check(3, "there is no stream 'log'; there are: logs, raw", "read", *config, "--stream",
                   "log")
        self.check(3, "did you mean 'volume.linger'", "config", "explain", "volume.linegr")
        self.check(3, "slot 4711 holds no segment", "segment", "dump", *config, "--slot", "4711")
        self.check(3, "verify works on volumes that nobody writes", "verify", *config)
        self.check(3, "there is no command 'penstock sgement'", "help", "sgement")
        self.check(3, "/nonexistent", "read", "--volume", "/nonexistent")

    def test_5_denied(self):
        other = Node(self.host, CONFIG, name="private")
        other.runtime.chmod(0o700)
        (other.folder / "volume").mkdir(mode=0o700)
        as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        for folder in (self.host.folder, other.folder):
            folder.chmod(0o755)
        for words in (["ledger"], ["read"], ["segment", "list"], ["verify"]):
            done = run(*as_nobody, BUILD / "penstock", *words, "--config", other.config,
                       check=False)
            self.assertEqual(done.returncode, 5, (words, done.stderr))
            self.assertIn("Permission denied", done.stderr)


if __name__ == "__main__":
    unittest.main()
