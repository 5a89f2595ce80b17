"""Real syslog senders over a cable to a node: what it stores is what left the sender's interface,
byte for byte and in order, under the subjects that the messages call for."""

import base64
import json
import logging
import logging.handlers
import signal
import socket
import unittest

from tests.lib.harness import REPO, Host, Node, run, wait_until
from tests.lib.recorder import Recorder

LOGGEN = REPO / "build" / "peers" / "bin" / "loggen"
ADDRESS = "10.77.0.1"
LINES = 1000

# The ring of the port takes every burst whole, so that a sender may go flat out.
CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
hugepages = "never"
memory = "64MiB"
[[port]]
name = "lan0"
device = "net_af_packet0,iface=port0,framesz=2048,blocksz=4096,framecnt=8192"
addresses = ["10.77.0.1/24"]
buffers = 8192
[[shard]]
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "8MiB"
memory = "4MiB"
[[door]]
name = "syslog"
kind = "syslog"
listen = ["*:514"]
"""

# Takes messages on a socket of its own and forwards them; nothing of the host's rsyslog is touched.
RSYSLOG = """
global(workDirectory="{folder}" localHostname="web7" maxMessageSize="8k"
       processInternalMessages="on" internalmsg.severity="emerg")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" CreatePath="on" RateLimit.Interval="0"
      UseSysTimeStamp="on")
:syslogtag, startswith, "rsyslogd" stop
action(type="omfwd" target="{address}" port="514" protocol="udp" template="{template}")
"""


def token(text):
    """A sender's word as one token of a subject."""
    return "".join(c if "!" <= c <= "~" and c not in ".*>" else "_" for c in text)[:64]


def lines_of(name):
    """Lines as programs write them: short, long, in other scripts, with every odd character."""
    odd = ["", " ", "tab\there", "ünïcödé Ωμέγα 漢字", '"quoted" \\back\\slash',
           "[brackets] <14>1 -", "a: b[1]: c", "x" * 900, "%s %d %%", "'; DROP TABLE logs; --"]
    return [f"{name} {i} {odd[i % len(odd)]}." for i in range(LINES)]


class Senders(unittest.TestCase):
    def setUp(self):
        self.host = Host("syslog")
        self.addCleanup(self.host.close)
        self.sender = self.host.namespace("sender")
        receiver = self.host.namespace("node")
        self.host.veth(self.sender, "eth0", receiver, "port0")
        self.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
        self.node = Node(self.host, CONFIG, namespace=receiver).start()
        # Before the neighbour is known the kernel keeps only a few datagrams for it.
        self.sender.run("ping", "-c", "1", "-W", "10", ADDRESS)
        self.recorder = Recorder(self.sender, "eth0", 514)
        self.host.undo.callback(self.recorder.close)

    def expect(self, name, subjects, texts=None, flags=()):
        """All that left the interface is stored as it was, the n-th under the n-th subject; `texts`
        are what the n-th ends with."""
        wait_until(lambda: len(self.recorder.payloads) >= len(subjects),
                   f"{len(subjects)} messages leave the sender: {len(self.recorder.payloads)}")
        sent = self.recorder.payloads
        self.node.wait_stored(len(sent))
        lines = self.node.penstock("read", "--format", "json").stdout.splitlines()
        messages = [json.loads(line) for line in lines]
        failed = sum(payload_of(m) != payload or m["subject"] != subject
                     or m["flags"] != list(flags)
                     for m, payload, subject in zip(messages, sent, subjects))
        print(f"FIGURE name=syslog_{name} cases={len(messages)} failed={failed}")
        for message, payload, subject in zip(messages, sent, subjects):
            self.assertEqual(payload_of(message), payload)
            self.assertEqual(message["subject"], subject, payload)
            self.assertEqual(message["flags"], list(flags), payload)
        self.assertEqual((len(sent), len(messages)), (len(subjects), len(subjects)))
        for message, text in zip(messages, texts or []):
            self.assertTrue(payload_of(message).endswith(text.encode()), (message, text))
        ledger = self.node.ledger()
        self.assertTrue(ledger["balanced"], ledger["imbalances"])
        self.assertEqual(ledger["total"]["offered"]["messages"], len(subjects))
        self.assertEqual(self.node.drain(), 0)


def payload_of(message):
    if "payload" in message:
        return message["payload"].encode()
    return base64.b64decode(message["payload_base64"])


class Logger(Senders):
    """util-linux: one datagram a line of a file."""

    PRIORITIES = ("kern.emerg", "mail.alert", "daemon.crit", "auth.err", "cron.warning",
                  "authpriv.notice", "local0.info", "local7.debug", "user.info", "ftp.err")

    def send(self, name, form, host):
        subjects, texts = [], []
        for number, priority in enumerate(self.PRIORITIES):
            file = self.host.folder / "lines"
            lines = lines_of(name)[number::len(self.PRIORITIES)]
            file.write_text("\n".join(lines) + "\n")
            self.sender.run("logger", "--udp", "--server", ADDRESS, "--port", "514", *form,
                            "--id=42", "--tag", f"app.{number}", "--priority", priority,
                            "--file", file)
            # logger(1) refuses to speak as the kernel and makes it user.
            facility, severity = priority.replace("kern", "user").split(".")
            subjects += [f"syslog.{facility}.{severity}.{token(host)}.app_{number}"] * len(lines)
            texts += lines
        self.expect(name, subjects, texts)

    def test_rfc5424(self):
        self.send("logger_rfc5424", ["--rfc5424"], socket.gethostname())

    def test_rfc5424_with_structured_data(self):
        self.send("logger_structured_data",
                  ["--rfc5424", "--msgid", "ID47", "--sd-id", "zoo@123", "--sd-param",
                   'tiger="hungry \\] \\"[1"', "--sd-id", "manager@123", "--sd-param", 'on="yes"'],
                  socket.gethostname())

    def test_rfc5424_without_time_and_host(self):
        self.send("logger_nil_values", ["--rfc5424=notime,nohost"], "-")

    def test_rfc3164(self):
        self.send("logger_rfc3164", ["--rfc3164"], socket.gethostname().split(".")[0])


class Rsyslog(Senders):
    def forward(self, name, template, ending=""):
        folder = self.host.folder / "rsyslog"
        folder.mkdir()
        config = folder / "rsyslog.conf"
        config.write_text(RSYSLOG.format(folder=folder, address=ADDRESS, template=template))
        with open(folder / "out", "wb") as out:
            daemon = self.host.start(*self.sender.command(
                "rsyslogd", "-n", "-f", config, "-i", folder / "pid"), stdout=out, stderr=out)
        wait_until((folder / "log").exists, "rsyslogd listens", process=daemon)
        subjects, texts = [], []
        priorities = ("local3.info", "mail.err", "daemon.debug", "user.alert")
        for number, priority in enumerate(priorities):
            file = folder / "lines"
            lines = [line.replace("\t", " ") for line in lines_of(name)[number::4]]
            file.write_text("\n".join(lines) + "\n")
            run("logger", "--socket", folder / "log", "--socket-errors=on", "--id=42", "--tag",
                f"app{number}", "--priority", priority, "--file", file)
            subjects += [f"syslog.{priority}.web7.app{number}"] * len(lines)
            texts += [line + ending for line in lines]
        self.expect(name, subjects, texts)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(timeout=60), 0, (folder / "out").read_text())

    def test_syslog_protocol_23_format(self):
        self.forward("rsyslog_protocol23", "RSYSLOG_SyslogProtocol23Format", "\n")

    def test_forward_format_with_iso_timestamps(self):
        self.forward("rsyslog_forward", "RSYSLOG_ForwardFormat")

    def test_traditional_forward_format(self):
        self.forward("rsyslog_traditional", "RSYSLOG_TraditionalForwardFormat")


class Loggen(Senders):
    """syslog-ng's load generator."""

    def generate(self, name, *options):
        if not LOGGEN.exists():
            self.skipTest("no loggen in build/peers/bin: `make peers` could not bring it")
        self.sender.run(LOGGEN, "--inet", "--dgram", "--number", LINES, "--rate", 2000,
                        "--interval", 30, "--size", 256, "--quiet", *options, ADDRESS, 514)
        self.expect(name, ["syslog.auth.info.localhost.prg00000"] * LINES)

    def test_rfc3164(self):
        self.generate("loggen_rfc3164")

    def test_rfc5424(self):
        self.generate("loggen_rfc5424", "--syslog-proto", "--no-framing")

    def test_rfc5424_with_structured_data(self):
        self.generate("loggen_structured_data", "--syslog-proto", "--no-framing", "--sdata",
                      '[test@1 name="value"]')


class PythonHandler(Senders):
    """logging.handlers.SysLogHandler: the severity of each level, a NUL behind each message."""

    LEVELS = (("debug", logging.DEBUG), ("info", logging.INFO), ("warning", logging.WARNING),
              ("err", logging.ERROR), ("crit", logging.CRITICAL))

    def log(self, name, form, host, flags=()):
        handler = self.sender.call(lambda: logging.handlers.SysLogHandler(
            (ADDRESS, 514), logging.handlers.SysLogHandler.LOG_LOCAL5))
        handler.setFormatter(logging.Formatter(form, "%b %d %H:%M:%S"))
        subjects, texts = [], []
        for number, line in enumerate(lines_of(name)):
            severity, level = self.LEVELS[number % len(self.LEVELS)]
            handler.emit(logging.LogRecord("app", level, __file__, 1, line, (), None))
            subjects.append(f"syslog.local5.{severity}.{host}.app")
            texts.append(line + "\0")
        handler.close()
        self.expect(name, subjects, texts, flags)

    def test_with_date_and_host(self):
        self.log("python_dated", "%(asctime)s db7 %(name)s[%(process)d]: %(message)s", "db7")

    def test_without_a_date_is_kept_and_marked(self):
        self.log("python_undated", "%(name)s: %(message)s", "-", ["malformed"])


if __name__ == "__main__":
    unittest.main()
