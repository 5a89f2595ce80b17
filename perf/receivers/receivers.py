"""Penstock on AF_XDP beside rsyslog, syslog-ng and a plain recvmmsg receiver: the same kernel
sender over a veth, 256-byte syslog messages. The highest rate without loss of each; and, at one
rate that both of a pair hold, processor time of a message, each beside recvmmsg pair by pair.

Leaves build/perf/receivers.json."""

import json
import pathlib
import signal
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measure import BUILD, REPO, Pairs, cores, run, say, stopped, target, write  # noqa: E402
from tests.lib.harness import Host, Node, wait_until  # noqa: E402

SECONDS = 1
FIRST_RATE = 50_000
STEPS = 4  # of bisection, after doubling
# Below this share of what was asked the sender is at its own limit.
SENDER_SHARE = 0.97

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
memory = "160MiB"
[[port]]
name = "lan0"
device = "net_af_xdp0,iface=port0"
addresses = ["10.77.0.1/24"]
receive_descriptors = 2048
buffers = 16384
[[shard]]
core = CORE
poll = "busy"
[[volume]]
name = "main"
path = "{folder}/volume"
segment_bytes = "64MiB"
retention.max_bytes = "512MiB"
[[door]]
DOOR
"""
SYSLOG = 'name = "syslog"\nlisten = ["*:514"]'


class Wire:
    """One sender, and a cable to each receiver: Penstock and the kernel's sockets."""

    def __init__(self, host):
        self.host = host
        self.poller, self.sender_core = cores()
        self.sender = host.namespace("sender")
        self.kernel = host.namespace("kernel")
        self.appliance = host.namespace("appliance")
        host.veth(self.sender, "eth0", self.appliance, "port0")
        host.veth(self.sender, "eth1", self.kernel, "port0")
        self.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
        self.sender.run("ip", "address", "add", "10.77.1.2/24", "dev", "eth1")
        self.kernel.run("ip", "address", "add", "10.77.1.1/24", "dev", "port0")

    def send(self, address, rate):
        """(sent, a second) at this rate, or as near to it as the sender comes."""
        done = json.loads(run(*self.sender.command(
            "taskset", "-c", self.sender_core, BUILD / "perf/udp_send", address, 514, rate,
            SECONDS), timeout=60).stdout)
        return done["sent"], done["sent"] / done["seconds"]


class Penstock:
    name, address = "penstock", "10.77.0.1"

    def __init__(self, wire, door=SYSLOG):
        text = CONFIG.replace("CORE", str(wire.poller)).replace("DOOR", door)
        self.node = Node(wire.host, text, namespace=wire.appliance).start()
        self.process = self.node.process
        wire.sender.run("ping", "-c", "1", "-W", "5", self.address)

    def received(self):
        return self.node.total("stored")

    def seconds(self):
        """Working turns of the shard, its system calls included: idle polling is told apart."""
        gauges = self.node.ledger()["gauges"][0]
        return gauges["busy_cycles"] / gauges["tsc_hz"]

    def close(self):
        self.node.drain()


class Process:
    """A receiver that is a process on the kernel's sockets."""

    address = "10.77.1.1"

    def __init__(self, wire, name, command):
        self.name = name
        self.out = wire.host.folder / f"{name}.out"
        self.process = wire.host.start(
            *wire.kernel.command("taskset", "-c", wire.poller, *command(self.out)))
        wait_until(lambda: "514" in wire.kernel.run("ss", "-Huln", "sport = 514").stdout,
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


def recvmmsg(wire):
    return Process(wire, "recvmmsg", lambda out: [BUILD / "perf/recvmmsg", 514, out])


def rsyslog(wire):
    config = wire.host.folder / "rsyslog.conf"

    def command(out):
        config.write_text(f'''
global(workDirectory="{wire.host.folder}")
main_queue(queue.dequeueBatchSize="4096" queue.size="200000")
module(load="imudp" batchSize="128")
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imudp" port="514" rcvbufSize="8m")
action(type="omfile" file="{out}" template="raw" ioBufferSize="256k" flushOnTXEnd="off"
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


def settled(receiver, wanted):
    """What arrived, when no more comes."""
    last, since = receiver.received(), time.monotonic()
    while last < wanted and time.monotonic() < since + 2:
        time.sleep(0.05)
        now = receiver.received()
        if now != last:
            last, since = now, time.monotonic()
    return last


def attempt(wire, receiver, rate):
    """(lost, sent a second, processor seconds of a message)"""
    before, seconds = receiver.received(), receiver.seconds()
    sent, speed = wire.send(receiver.address, rate)
    got = settled(receiver, before + sent) - before
    return sent - got, speed, (receiver.seconds() - seconds) / max(got, 1)


def highest_rate(wire, receiver):
    """Messages a second without loss, and whether the sender could do no more: doubles, then
    bisects."""
    low, high = 0, FIRST_RATE
    while True:
        lost, speed, _ = attempt(wire, receiver, high)
        if lost > 0:
            break
        low, high = speed, high * 2
        if speed < SENDER_SHARE * high / 2:
            return int(speed), True
    for _ in range(STEPS):
        middle = int(low + high) // 2
        lost, speed, _ = attempt(wire, receiver, middle)
        low, high = (speed, high) if lost == 0 else (low, middle)
    return int(low), False


def measure_receiver(wire, make, results, missing):
    try:
        receiver = make(wire)
    except (AssertionError, OSError) as error:
        missing[make.__name__] = str(error)[:300]
        say(f"{make.__name__}: not here: {str(error)[:200]}")
        return
    try:
        rate, sender_bound = highest_rate(wire, receiver)
        # What one attempt loses may be the machine's: the median of three.
        lost = statistics.median(attempt(wire, receiver, int(0.9 * rate))[0] for _ in range(3))
    finally:
        receiver.close()
    results[receiver.name] = {"loss_free_per_second": rate, "sender_bound": sender_bound,
                              "lost_at_0.9": lost}
    say(f"{receiver.name}: {rate:,} messages/s without loss"
        f"{', all that the sender can send' if sender_bound else ''}; {lost} lost at 0.9 of it")


def cost_beside(wire, make, rate):
    """Processor time of a message: Penstock and this receiver, pair by pair, at one rate."""
    penstock, other = Penstock(wire), make(wire)

    def penstock_leg():
        penstock.process.send_signal(signal.SIGCONT)
        try:
            return attempt(wire, penstock, rate)[2]
        finally:
            penstock.process.send_signal(signal.SIGSTOP)
    try:
        with stopped(penstock.process):  # a poller would be a load beside the other's legs
            return Pairs(penstock_leg, lambda: attempt(wire, other, rate)[2])
    finally:
        other.close()
        penstock.close()


def main():
    host = Host("receivers")
    results, missing, costs, targets = {}, {}, {}, []
    receivers = (recvmmsg, rsyslog, syslog_ng, Penstock)
    try:
        host.hugepages(512)
        # As an operator would for receivers of UDP; put back at the end.
        limit = pathlib.Path("/proc/sys/net/core/rmem_max")
        host.undo.callback(limit.write_text, limit.read_text())
        limit.write_text("16777216")
        wire = Wire(host)
        for make in receivers:
            measure_receiver(wire, make, results, missing)
        for make, name in ((recvmmsg, "recvmmsg"), (rsyslog, "rsyslog"), (syslog_ng, "syslog-ng")):
            if name not in results:
                continue
            rate = int(0.9 * min(results[name]["loss_free_per_second"],
                                 results["penstock"]["loss_free_per_second"]))
            costs[name] = cost_beside(wire, make, rate)
            say(f"{name} takes {costs[name].ratio:.1f} times the processor time of Penstock "
                f"for a message: {1e9 * costs[name].median(1):,.0f} and "
                f"{1e9 * costs[name].median(0):,.0f} ns at "
                f"{rate:,} messages/s")
            results[name] |= {"cost_at_rate": rate, "cost_ns": 1e9 * costs[name].median(1),
                              "penstock_cost_ns": 1e9 * costs[name].median(0)}
    finally:
        host.close()
    plain = costs["recvmmsg"]
    targets = [target("recvmmsg_time_of_penstock_time", plain.ratio, 8, "times a message",
                      enough=plain.enough),
               target("lost_at_0.9_of_the_highest_rate", results["penstock"]["lost_at_0.9"], 0,
                      "messages", at_least=False)]
    write("receivers", targets, receivers=results, missing=missing,
          costs={name: pairs.report() for name, pairs in costs.items()})


if __name__ == "__main__":
    main()
