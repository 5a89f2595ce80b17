"""`penstock` as a user and a script see it: what it prints of a known content, and its exit codes."""

import base64
import datetime
import json
import select
import signal
import socket
import subprocess
import time
import unittest

from tests.lib.harness import BUILD, Host, Node, run, wait_until

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

    def read(self, *options):
        """Lines of the messages read with `-f`, which ends each."""
        command = [str(word) for word in (
            BUILD / "penstock", "read", "--config", self.node.config, *options)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def records(self, *options):
        return [json.loads(line) for line in self.read("--format", "json", *options).splitlines()]

    def payloads(self, *options):
        return self.node.payloads(*options)


class Read(Cli):
    def test_everything_once_and_byte_for_byte(self):
        self.assertEqual(sorted(self.payloads()), sorted(RAW + SYSLOG))
        self.assertEqual(sorted(self.payloads("--stream", "raw")), sorted(RAW))
        self.assertEqual(sorted(self.payloads("--stream", "logs")), sorted(SYSLOG))

    def test_logs_of_several_shards_are_merged_in_the_order_of_time(self):
        times = [line.split() for line in self.read("-f", r"%N %p\n").splitlines()]
        self.assertEqual({log for _, log in times}, {b"0", b"1"}, "one shard got nothing")
        nanos = [int(time_ns) for time_ns, _ in times]
        self.assertEqual(nanos, sorted(nanos))

    def test_from_an_offset(self):
        of_log = {}
        for line in self.read("--stream", "raw", "-f", r"%p %o %t\n").splitlines():
            log, offset, stream = line.split()
            self.assertEqual(stream, b"raw")
            of_log.setdefault(log, []).append(int(offset))
        for offsets in of_log.values():
            self.assertEqual(offsets, list(range(len(offsets))))
        later = self.read("--stream", "raw", "-o", "100", "-f", r"%p %o\n").splitlines()
        self.assertEqual(sorted(later), sorted(b"%s %d" % (log, offset)
                                               for log, offsets in of_log.items()
                                               for offset in offsets[100:]))

    def test_the_last_n(self):
        self.assertEqual(self.payloads("-o", "-7"), self.payloads()[-7:])
        self.assertEqual(self.payloads("-o", "-100000"), self.payloads())
        self.assertEqual(self.payloads("-o", "-0"), [])
        self.assertEqual(self.payloads("--subject", "syslog.>", "-o", "-5"),
                         self.payloads("--stream", "logs")[-5:])

    def test_from_a_time(self):
        self.assertEqual(sorted(self.payloads("-o", f"@{rfc3339(self.between)}")), sorted(LAST))
        self.assertEqual(len(self.payloads("-o", "@-1h")), len(RAW) + len(SYSLOG))
        self.assertEqual(len(self.payloads("-o", "@0")), len(RAW) + len(SYSLOG))
        self.assertEqual(self.payloads("-o", f"@{int(time.time()) + 3600}"), [])

    def test_from_the_end_there_is_nothing_yet(self):
        self.assertEqual(self.payloads("-o", "end"), [])

    def test_a_count_ends_it(self):
        self.assertEqual(self.payloads("-c", "11"), self.payloads()[:11])

    def test_subject_filters(self):
        self.assertEqual(sorted(self.payloads("--subject", "syslog.*.crit.>")), sorted(SYSLOG[0::4]))
        self.assertEqual(sorted(self.payloads("--subject", "syslog.*.*.db1.*")),
                         sorted(SYSLOG[1::2]))
        self.assertEqual(sorted(self.payloads("--subject", "app.5140.raw")), sorted(RAW))
        self.assertEqual(self.payloads("--subject", "app.5140"), [])

    def test_json_has_every_field_and_base64_for_what_is_not_text(self):
        records = self.records()
        odd = [r for r in records if "payload_base64" in r]
        self.assertEqual([base64.b64decode(r["payload_base64"]) for r in odd], [ODD[0]])
        text = sorted(r["payload"].encode() for r in records if "payload" in r)
        self.assertEqual(text, sorted(set(RAW + SYSLOG) - {ODD[0]}))
        for record in records:
            self.assertEqual(list(record)[:7], ["stream", "log", "offset", "time", "received_ns",
                                                "subject", "flags"])
            self.assertEqual(record["time"], rfc3339(record["received_ns"]))
            self.assertEqual(record["stream"], "raw" if record["subject"] == "app.5140.raw"
                             else "logs")

    def test_text_and_raw(self):
        first = self.records("-c", "1", "--stream", "logs")[0]
        self.assertEqual(self.read("-c", "1", "--stream", "logs").decode(),
                         f"{first['time']} {first['subject']} {first['payload']}\n")
        self.assertEqual(self.read("--format", "raw", "-c", "1", "--stream", "logs").decode(),
                         first["payload"] + "\n")

    def test_format_string(self):
        first = self.records("-c", "1", "--stream", "logs")[0]
        written = self.read("-c", "1", "--stream", "logs", "-f",
                            r"%S|%s|%u|%t|%p|%o|%T|%N|%K|%k|%%\t\x41\0")
        expected = "|".join(str(part) for part in (
            len(first["payload"]), first["payload"], first["subject"], "logs", first["log"],
            first["offset"], first["received_ns"] // 10**6, first["received_ns"], 0, "", "%\tA\0"))
        self.assertEqual(written.decode(), expected)

    def test_a_volume_by_its_path_needs_no_configuration(self):
        done = run(BUILD / "penstock", "read", "--volume", self.node.folder / "volume", "--config",
                   "/nonexistent", "-f", r"%u\n")
        self.assertEqual(len(done.stdout.splitlines()), len(RAW) + len(SYSLOG))

    def test_a_reader_that_goes_away_is_no_disaster(self):
        command = [str(BUILD / "penstock"), "read", "--config", str(self.node.config)]
        done = run("bash", "-o", "pipefail", "-c", '"$@" | head -1', "bash", *command, check=False)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(done.stderr, "")


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
        self.assertIn("format 1", run(BUILD / "penstock", "version").stdout)


class Follow(Cli):
    def follow(self, *options):
        process = self.host.start(BUILD / "penstock", "read", "--config", self.node.config, "--follow",
                                  *options, "-f", r"%s\n", stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        return process

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.read(), b"")
        self.assertEqual(process.wait(timeout=60), 0)

    def test_gives_what_is_there_and_then_what_comes(self):
        process = self.follow("--subject", "syslog.>")
        there = [process.stdout.readline().rstrip(b"\n") for _ in SYSLOG]
        self.assertEqual(sorted(there), sorted(SYSLOG))
        for i in range(20):
            live = b"<14>1 - live follow - - - %d" % i
            self.send([live], 514)
            begin = time.monotonic()
            self.assertEqual(process.stdout.readline(), live + b"\n")
            self.assertLess(time.monotonic() - begin, 10)
        self.interrupt(process)

    def test_from_the_end_gives_only_what_comes(self):
        process = self.follow("--stream", "raw", "-o", "end")
        lines = []
        with self.sender.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            def knock():
                # Until the reader stands at the end, what is sent may lie before it.
                sender.sendto(b"knock", ("10.77.0.1", 5140))
                ready = json.loads(self.node.penstock("ledger", "--format", "json").stdout)
                self.assertTrue(ready["balanced"])
                return readable(process.stdout)
            wait_until(knock, "a followed message", process=process)
            for i in range(100):
                sender.sendto(b"live %d" % i, ("10.77.0.1", 5140))
        while not lines or lines[-1] != b"live 99\n":
            lines.append(process.stdout.readline())
        live = [line for line in lines if line != b"knock\n"]
        self.assertEqual(live, [b"live %d\n" % i for i in range(100)])
        self.interrupt(process)

    def test_a_count_ends_it(self):
        process = self.follow("-c", "3")
        self.assertEqual(len(process.stdout.read().splitlines()), 3)
        self.assertEqual(process.wait(timeout=60), 0)


def readable(file):
    return bool(select.select([file], [], [], 0)[0])


class ExitCodes(Cli):
    """0: the tests above; 4, of a node that never ran: lifecycle_test."""

    def check(self, code, says, *words):
        done = run(BUILD / "penstock", *words, check=False)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        self.assertIn(says, done.stderr + done.stdout)

    def test_1_failed(self):
        self.check(1, "verify works on volumes that nobody writes", "verify", "--config",
                   self.node.config)
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
        self.check(2, "offsets are a stream's: name one", "read", *config, "-o", "5")

    def test_3_not_there(self):
        config = ("--config", self.node.config)
        self.check(3, "there is no stream 'log'; there are: logs, raw", "read", *config, "--stream",
                   "log")
        self.check(3, "did you mean 'volume.linger'", "config", "explain", "volume.linegr")
        self.check(3, "slot 4711 holds no segment", "segment", "dump", *config, "--slot", "4711")
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
            done = run(*as_nobody, BUILD / "penstock", *words, "--config", other.config, check=False)
            self.assertEqual(done.returncode, 5, (words, done.stderr))
            self.assertIn("Permission denied", done.stderr)


if __name__ == "__main__":
    unittest.main()
