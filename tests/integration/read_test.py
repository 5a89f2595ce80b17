"""`penstock read` of a known content: places, filters, formats, and what comes while it reads."""

import base64
import json
import select
import signal
import socket
import subprocess
import time
import unittest

from tests.integration.cli_test import LAST, ODD, RAW, SYSLOG, Cli, rfc3339
from tests.lib.harness import BUILD, run, wait_until


class Read(Cli):
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
        self.assertEqual(sorted(self.payloads("--subject", "syslog.*.crit.>")),
                         sorted(SYSLOG[0::4]))
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
            self.assertEqual(list(record)[:8], ["stream", "log", "offset", "time", "received_ns",
                                                "subject", "flags", "volume"])
            self.assertEqual(record["volume"], "main")
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

    def test_an_empty_format_string_writes_nothing(self):
        self.assertEqual(self.read("-f", ""), b"")

    def test_a_volume_by_its_path_needs_no_configuration(self):
        done = run(BUILD / "penstock", "read", "--volume", self.node.folder / "volume", "--config",
                   "/nonexistent", "-f", r"%u\n")
        self.assertEqual(len(done.stdout.splitlines()), len(RAW) + len(SYSLOG))

    def test_a_reader_that_goes_away_is_no_disaster(self):
        command = [str(BUILD / "penstock"), "read", "--config", str(self.node.config)]
        done = run("bash", "-o", "pipefail", "-c", '"$@" | head -1', "bash", *command, check=False)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(done.stderr, "")


class Follow(Cli):
    def follow(self, *options):
        process = self.host.start(BUILD / "penstock", "read", "--config", self.node.config,
                                  "--follow", *options, "-f", r"%s\n", stdout=subprocess.PIPE)
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


if __name__ == "__main__":
    unittest.main()
