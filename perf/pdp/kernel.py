"""Producers on the kernel's sockets: a sender over veth pairs to a node and to a plain receiver."""

import json
import pathlib
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measure import (BUILD, Pairs, cores, process_seconds, run, say, stopped,  # noqa: E402
                     target)
from tests.lib.harness import Node, wait_until  # noqa: E402

SECONDS = 1.0
# As perf/udp_send sends them.
KERNEL_BYTES = 256
KERNEL_CONFIG = """
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
name = "pdp"
kind = "pdp"
listen = ["*:7373"]
"""


class Kernel:
    """A sender on the kernel's sockets, a cable to a node and one to a plain receiver."""

    def __init__(self, host):
        self.host = host
        self.poller, self.sender_core = cores()
        self.sender, self.plain = host.namespace("sender"), host.namespace("plain")
        appliance = host.namespace("appliance")
        host.veth(self.sender, "eth0", appliance, "port0")
        host.veth(self.sender, "eth1", self.plain, "port0")
        self.sender.run("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
        self.sender.run("ip", "address", "add", "10.77.1.2/24", "dev", "eth1")
        self.plain.run("ip", "address", "add", "10.77.1.1/24", "dev", "port0")
        self.node = Node(host, KERNEL_CONFIG.replace("CORE", str(self.poller)), name="kernel",
                         namespace=appliance).start()
        self.costs = {"recvmmsg": [], "penstock": []}

    def send(self, *command):
        return json.loads(run(*self.sender.command("taskset", "-c", self.sender_core, *command),
                              timeout=60).stdout)

    def recvmmsg_leg(self):
        """Messages a second that arrived."""
        out = self.host.folder / "plain.out"
        receiver = self.host.start(*self.plain.command(
            "taskset", "-c", self.poller, BUILD / "perf/recvmmsg", 514, out),
            stdout=subprocess.DEVNULL)
        wait_until(lambda: "514" in self.plain.run("ss", "-Huln", "sport = 514").stdout,
                   "recvmmsg listening", process=receiver)
        sent = self.send(BUILD / "perf/udp_send", "10.77.1.1", 514, 10_000_000, 1)
        time.sleep(0.2)
        seconds = process_seconds(receiver.pid)
        receiver.send_signal(signal.SIGTERM)
        receiver.wait()
        with open(out, "rb") as file:
            lines = sum(data.count(b"\n") for data in iter(lambda: file.read(1 << 20), b""))
        self.costs["recvmmsg"].append(1e9 * seconds / max(lines, 1))
        return lines / sent["seconds"]

    def marks(self):
        gauges = self.node.ledger()["gauges"][0]
        return gauges["busy_cycles"] / gauges["tsc_hz"]

    def penstock_leg(self):
        """Messages a second that were acknowledged as durable."""
        self.node.process.send_signal(signal.SIGCONT)
        before = self.marks()
        done = self.send(BUILD / "perf/producer", "10.77.0.1:7373", KERNEL_BYTES, SECONDS)
        seconds = self.marks() - before
        self.node.process.send_signal(signal.SIGSTOP)
        if done["failed"]:
            raise RuntimeError(f"messages failed: {done}")
        self.costs["penstock"].append({
            "node_ns": 1e9 * seconds / done["acknowledged"],
            "producer_ns": 1e9 * done["processor_seconds"] / done["acknowledged"]})
        return done["acknowledged"] / done["seconds"]

    def measure(self):
        say(f"{KERNEL_BYTES} B messages by the kernel's sockets: recvmmsg beside penstockd")
        with stopped(self.node.process):
            found = Pairs(self.recvmmsg_leg, self.penstock_leg)
        self.node.process.send_signal(signal.SIGCONT)
        self.node.drain()
        plain = statistics.median(self.costs["recvmmsg"])
        node = statistics.median(cost["node_ns"] for cost in self.costs["penstock"])
        producer = statistics.median(cost["producer_ns"] for cost in self.costs["penstock"])
        say(f"  {found.median(1) / 1e6:.2f} M/s durable, recvmmsg {found.median(0) / 1e6:.2f}; ns "
            f"a message: node {node:.0f}, producer {producer:.0f}, recvmmsg {plain:.0f}")
        return {"beside_recvmmsg": found.report(), "costs": self.costs}, [
            target("kernel_rate_of_recvmmsg", found.ratio, 1.0, "ratio", enough=found.enough),
            target("kernel_node_time_of_recvmmsg", node / plain, 0.25, "ratio", at_least=False,
                   enough=found.enough)]
