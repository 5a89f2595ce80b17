"""Penstock on AF_XDP beside rsyslog, syslog-ng and a plain recvmmsg receiver: the same kernel sender over
a veth, 256-byte syslog messages; the highest rate without loss, and processor time of a message.

Leaves build/perf/receivers.json."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measure import BUILD, REPO, cores, run, say, target, write  # noqa: E402
from tests.lib.harness import Host, Node, wait_until  # noqa: E402

SECONDS = 1
FIRST_RATE = 20_000
STEPS = 7  # of bisection, after doubling

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
memory = "96MiB"
[[port]]
name = "lan0"
device = "net_af_xdp0,iface=port0"
addresses = ["10.77.0.1/24"]
[[shard]]
core = CORE
poll = "busy"
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "64MiB"
retention.max_bytes = "512MiB"
[[door]]
name = "syslog"
listen = ["*:514"]
"""


class Wire:
    def __init__(self, host):
        self.host = host
        self.poller, self.sender_core = cores()
        self.sender = host.namespace("sender")
        self.receiver = host.namespace("receiver")
        host.veth(self.sender, "eth0", self.receiver, "port0")
        self.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")

    def address(self, add):
        """The receiver's address belongs to the kernel, or to Penstock."""
        self.receiver.run("ip", "address", "add" if add else "del", "10.77.0.1/24", "dev", "port0",
                          check=False)
        self.sender.run("ip", "neighbour", "flush", "all", check=False)
        if add:
            self.sender.run("ping", "-c", "1", "-W", "5", "10.77.0.1")

    def send(self, rate):
        done = run(*self.sender.command("taskset", "-c", self.sender_core, BUILD / "perf/udp_send",
                                        "10.77.0.1", 514, rate, SECONDS), timeout=60)
        return int(done.stdout)


class Penstock:
    name = "penstock"

    def __init__(self, wire):
        self.wire = wire
        wire.address(False)
        self.node = Node(wire.host, CONFIG.replace("CORE", str(wire.poller)),
                         namespace=wire.receiver).start()
        wire.sender.run("ping", "-c", "1", "-W", "5", "10.77.0.1")

    def received(self):
        return self.node.total("stored")

    def seconds(self):
        """Working turns of the shard: idle polling is told apart from work."""
        gauges = self.node.ledger()["gauges"][0]
        return gauges["busy_cycles"] / gauges["tsc_hz"]

    def close(self):
        self.node.drain()


class Process:
    """A receiver that is a process on the kernel's sockets."""

    def __init__(self, wire, name, command):
        self.name = name
        self.out = wire.host.folder / f"{name}.out"
        wire.address(True)
        self.process = wire.host.start(
            *wire.receiver.command("taskset", "-c", wire.poller, *command(self.out)))
        wait_until(lambda: "514" in wire.receiver.run("ss", "-Huln", "sport = 514").stdout,
                   f"{name} listening", process=self.process)
        self.bytes_read, self.lines = 0, 0

    def received(self):
        if self.out.exists():
            with open(self.out, "rb") as file:
                file.seek(self.bytes_read)
                while data := file.read(1 << 20):
                    self.lines += data.count(b"\n")
                    self.bytes_read += len(data)
        return self.lines

    def seconds(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def settled(receiver, wanted):
    """What arrived, when no more comes."""
    last, since = receiver.received(), time.monotonic()
    while last < wanted and time.monotonic() < since + 1:
        time.sleep(0.05)
        now = receiver.received()
        if now != last:
            last, since = now, time.monotonic()
    return last


def recvmmsg(wire):
    return Process(wire, "recvmmsg", lambda out: [BUILD / "perf/recvmmsg", 514, out])


def rsyslog(wire):
    config = wire.host.folder / "rsyslog.conf"

    def command(out):
        config.write_text(f'''
global(workDirectory="{wire.host.folder}")
module(load="imudp" batchSize="64")
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imudp" port="514" rcvbufSize="8m")
action(type="omfile" file="{out}" template="raw" ioBufferSize="1m" flushOnTXEnd="off"
       asyncWriting="on" flushInterval="1")
''')
        return ["rsyslogd", "-n", "-f", config, "-i", wire.host.folder / "rsyslog.pid"]
    return Process(wire, "rsyslog", command)


def syslog_ng(wire):
    config = wire.host.folder / "syslog-ng.conf"

    def command(out):
        config.write_text(f'''@version: 3.38
options {{ flush-lines(1000); time-reap(1); }};
source s {{ network(transport("udp") port(514) so-rcvbuf(8388608) flags(no-parse)); }};
destination d {{ file("{out}" template("$MSG\\n")); }};
log {{ source(s); destination(d); }};
''')
        return [REPO / "build/peers/bin/syslog-ng", "-F", "-f", config, "--persist-file",
                wire.host.folder / "persist", "-R", wire.host.folder / "persist", "--pidfile",
                wire.host.folder / "syslog-ng.pid", "--control", wire.host.folder / "syslog-ng.ctl"]
    return Process(wire, "syslog-ng", command)


def attempt(wire, receiver, rate):
    """(nothing lost, processor seconds of a message)"""
    before, seconds = receiver.received(), receiver.seconds()
    sent = wire.send(rate)
    got = settled(receiver, before + sent) - before
    return got >= sent, (receiver.seconds() - seconds) / max(got, 1)


def highest_rate(wire, receiver):
    """Doubles until something is lost or the sender reaches its own limit, then bisects."""
    low, high, cost = 0, FIRST_RATE, 0.0
    while high < 4_000_000:
        good, seconds = attempt(wire, receiver, high)
        if not good:
            break
        low, cost, high = high, seconds, high * 2
    for _ in range(STEPS):
        middle = (low + high) // 2
        good, seconds = attempt(wire, receiver, middle)
        if good:
            low, cost = middle, seconds
        else:
            high = middle
    return low, cost


def main():
    host = Host("receivers")
    results, missing = {}, {}
    try:
        host.hugepages(512)
        # As an operator would for receivers of UDP; put back at the end.
        limit = pathlib.Path("/proc/sys/net/core/rmem_max")
        host.undo.callback(limit.write_text, limit.read_text())
        limit.write_text("16777216")
        wire = Wire(host)
        for make in (recvmmsg, rsyslog, syslog_ng, Penstock):
            try:
                receiver = make(wire)
            except (AssertionError, OSError) as error:
                missing[make.__name__] = str(error)[:300]
                say(f"{make.__name__}: not here: {str(error)[:200]}")
                continue
            try:
                rate, cost = highest_rate(wire, receiver)
            finally:
                receiver.close()
            results[receiver.name] = {"loss_free_per_second": rate,
                                      "nanoseconds_per_message": cost * 1e9}
            say(f"{receiver.name}: {rate:,} messages/s without loss, {cost * 1e9:,.0f} ns a message")
    finally:
        host.close()
    ours, plain = results["penstock"], results["recvmmsg"]
    write("receivers", [target("recvmmsg_time_of_penstock_time",
                               plain["nanoseconds_per_message"] / ours["nanoseconds_per_message"], 8,
                               "times a message")], receivers=results, missing=missing)


if __name__ == "__main__":
    main()
