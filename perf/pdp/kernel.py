"""Producers on the kernel's sockets: a sender over veth pairs to a node and to a plain receiver."""

import json
import pathlib
import signal
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "receivers"))

import receivers  # noqa: E402
from measure import BUILD, Pairs, run, say, stopped, target  # noqa: E402

SECONDS = 1.0
FLAT_OUT = 10_000_000
# As perf/udp_send sends them.
KERNEL_BYTES = 256
DOOR = 'name = "pdp"\nkind = "pdp"\nlisten = ["*:7373"]'


class Kernel:
    """What perf/receivers compares, with producers that are acknowledged."""

    def __init__(self, host):
        self.wire = receivers.Wire(host)
        self.penstock = receivers.Penstock(self.wire, DOOR)
        self.costs = {"recvmmsg": [], "penstock": []}

    def recvmmsg_leg(self):
        """Messages a second that arrived."""
        receiver = receivers.recvmmsg(self.wire)
        try:
            sent, rate = self.wire.send(receiver.address, FLAT_OUT)
            time.sleep(0.2)
            seconds = receiver.seconds()
        finally:
            receiver.close()
        lines = receiver.received()
        self.costs["recvmmsg"].append(1e9 * seconds / max(lines, 1))
        return lines / sent * rate

    def penstock_leg(self):
        """Messages a second that were acknowledged as durable."""
        self.penstock.process.send_signal(signal.SIGCONT)
        before = self.penstock.seconds()
        done = json.loads(run(*self.wire.sender.command(
            "taskset", "-c", self.wire.sender_core, BUILD / "perf/producer",
            f"{self.penstock.address}:7373", KERNEL_BYTES, SECONDS), timeout=60).stdout)
        seconds = self.penstock.seconds() - before
        self.penstock.process.send_signal(signal.SIGSTOP)
        if done["failed"]:
            raise RuntimeError(f"messages failed: {done}")
        self.costs["penstock"].append({
            "node_ns": 1e9 * seconds / done["acknowledged"],
            "producer_ns": 1e9 * done["processor_seconds"] / done["acknowledged"]})
        return done["acknowledged"] / done["seconds"]

    def measure(self):
        say(f"{KERNEL_BYTES} B messages by the kernel's sockets: recvmmsg beside penstockd")
        with stopped(self.penstock.process):
            found = Pairs(self.recvmmsg_leg, self.penstock_leg)
        self.penstock.close()
        plain = statistics.median(self.costs["recvmmsg"])
        node = statistics.median(cost["node_ns"] for cost in self.costs["penstock"])
        producer = statistics.median(cost["producer_ns"] for cost in self.costs["penstock"])
        say(f"  {found.median(1) / 1e6:.2f} M/s durable, recvmmsg {found.median(0) / 1e6:.2f}; ns "
            f"a message: node {node:.0f}, producer {producer:.0f}, recvmmsg {plain:.0f}")
        return {"beside_recvmmsg": found.report(), "costs": self.costs}, [
            target("kernel_rate_of_recvmmsg", found.ratio, 1.0, "ratio", enough=found.enough),
            target("kernel_node_time_of_recvmmsg", node / plain, 0.25, "ratio", at_least=False,
                   enough=found.enough)]
