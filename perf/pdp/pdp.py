"""PDP, pair by pair beside what nobody can do without: over memif on a null volume beside a loop
that only copies and checksums and beside testpmd that only receives; to the drive beside fio; the
time until acknowledgements beside a program that does nothing but write the same blocks; with
100,000 sessions open beside none; through the kernel's sockets beside a plain recvmmsg receiver,
and beside whoever sends what the protocol forbids.

Leaves build/perf/pdp.json."""

import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ingest"))

import hostile  # noqa: E402
import ingest  # noqa: E402
import kernel  # noqa: E402
from measure import (BUILD, OUT, Pairs, core_to_core, run, say, stopped,  # noqa: E402
                     target, write)
from tests.lib.harness import Host, Node  # noqa: E402

SECONDS = 1.0
DOOR = """
[[door]]
name = "pdp"
kind = "pdp"
listen = ["*:7373"]
pdp.sessions = SESSIONS
pdp.remembered = REMEMBERED
"""
PACKED_64 = ["--size", 64]
PACKET_BYTES = 1472
LONG_256 = ["--size", 256, "--packed", 8000]
LONG_1024 = ["--size", 1024, "--packed", 8000, "--yield"]
NEAR_NS = 120  # the two modes of core-to-core latency lie on both sides of it
IN_PLACE = ",zero-copy=yes"  # of a memif device: the node reads packets where they are
SESSIONS = 100_000
SESSION_BYTES_NODE = 2048
SESSION_BYTES_CLIENT = 24 * 1024
FLOOR_FILE_BYTES = 256 << 20


class Percentiles(float):
    """A leg's p99, which pairs are judged by, with the others."""

    def __new__(cls, latency):
        made = super().__new__(cls, latency["p99"])
        made.all = latency
        return made


def by_mode(found):
    """The median ratio with near cores and with far ones, where there were any."""
    modes = {"near": [], "far": []}
    for ratio, latency in zip(found.ratios, found.modes):
        modes["near" if latency < NEAR_NS else "far"].append(ratio)
    return {name: statistics.median(ratios) for name, ratios in modes.items() if ratios}


class Pdp(ingest.Ingest):
    def __init__(self, host):
        super().__init__(host)
        self.histograms = {}  # kept so far, by name

    def node(self, volume, sessions=4096):
        text = ingest.CONFIG.replace("STATION", ingest.STATION).replace("CORE", str(self.poller))
        # Buffers for the answers, and room for long frames in one piece.
        text = text.replace('mtu = 9000', 'mtu = 9000\nbuffers = 8192\nbuffer_bytes = 9216')
        text = text.replace('memory = "160MiB"\n[[port]]', 'memory = "320MiB"\n[[port]]')
        door = DOOR.replace("SESSIONS", str(sessions)).replace("REMEMBERED", str(4 * sessions))
        self.lives += 1
        return Node(self.host, text.replace("VOLUME", volume) + door, name=f"node{self.lives}")

    def device(self, socket):
        return f"net_memif1,role=client,socket={socket},socket-abstract=no"

    def load_command(self, socket, *options, seconds=SECONDS, more=""):
        return [BUILD / "penstock-blast", "--pdp", "--device", self.device(socket) + more, "--to",
                "10.78.0.1:7373", "--to-ethernet", ingest.STATION, "--from", "10.78.1.1", "--core",
                self.sender, "--json", "--linger", "0.05", "--seconds", seconds, *options]

    def load(self, node, *options, **more):
        done = json.loads(run(*self.load_command(node.folder / "memif.sock", *options, **more),
                              timeout=120).stdout)
        if done["failed"] or done["unreported"]:
            raise RuntimeError(f"messages failed: {done}")
        return done

    def blast(self, socket, port, options, **more):
        """Without sessions, on the same device: the base class's receive-only leg uses it."""
        done = run(BUILD / "penstock-blast", "--device", self.device(socket), "--to",
                   f"10.78.0.1:{port}", "--to-ethernet", ingest.STATION, "--core", self.sender,
                   "--json", "--linger", "0.05", "--seconds", SECONDS, *options, timeout=120)
        return json.loads(done.stdout)

    # ---- A null volume: the processor's and the memif's limits ----------------------------------

    def null_leg(self, options, per_second):
        node = self.node(ingest.NULL).start()
        # What whoever has such cores would choose: memif's own copy waits for the far core's lines.
        device = IN_PLACE if core_to_core() > NEAR_NS else ""
        try:
            done = self.load(node, "--acks", "received", *options, more=device)
        finally:
            node.drain()
        return per_second(done) / done["seconds"]

    def copy_crc_leg(self):
        return float(run("taskset", "-c", self.poller, BUILD / "perf/copy_crc", 64, SECONDS,
                         PACKET_BYTES).stdout)

    def receive_only_bytes_leg(self):
        options, port, goal = ["--size", 256, "--packed", 8000], 5140, None
        ingest.CASES["long"] = (options, port, goal)
        return self.receive_only_leg("long") * self.bytes_per_message

    def null_volume(self):
        say("64 B messages in frames of 1,472 B: copy and CRC32C beside penstockd on a null volume")
        packed = Pairs(self.copy_crc_leg,
                       lambda: self.null_leg(PACKED_64, lambda done: done["acknowledged"]))
        say(f"  {packed.ratio:.3f} of the loop, {packed.median(1) / 1e6:.1f} M/s {by_mode(packed)}")
        say("256 B messages in frames of 8 KB: receive-only beside penstockd on a null volume")
        # 31 lines of 257 bytes and 42 bytes of headers.
        self.bytes_per_message = (31 * 257 + 42) / 31
        long = Pairs(self.receive_only_bytes_leg,
                     lambda: self.null_leg(LONG_256, lambda done: done["packet_bytes"]))
        say(f"  {long.ratio:.3f} of receive-only, {long.median(1) / 1e9:.2f} GB/s {by_mode(long)}")
        return {"packed": packed.report(), "packed_modes": by_mode(packed),
                "long": long.report(), "long_modes": by_mode(long)}, [
            target("pdp_64_packed_of_copy_crc", packed.ratio, 0.5, "ratio", enough=packed.enough),
            target("pdp_8k_frames_of_receive_only", long.ratio, 0.5, "ratio", enough=long.enough)]

    def kept(self, name):
        """Options that keep a leg's histogram beside the results, as HdrHistogram prints one."""
        self.histograms[name] = self.histograms.get(name, 0) + 1
        OUT.mkdir(parents=True, exist_ok=True)
        return ["--histogram", OUT / f"pdp_{name}_{self.histograms[name]}.hgrm"]

    def received_leg(self, node):
        """At half of what is the highest load just then: it changes with where the cores lie."""
        flat_out = self.load(node, "--acks", "received", *PACKED_64, seconds=SECONDS / 2)
        rate = int(flat_out["acknowledged"] / flat_out["seconds"] / 2)
        done = self.load(node, "--acks", "received", "--rate", rate, *PACKED_64,
                         *self.kept("received"))
        held = done["messages"] >= ingest.RATE_SHARE * rate * SECONDS
        return Percentiles({**done["latency_us"], "rate": rate, "held": held})

    def stall_leg(self):
        """What a sender on a schedule would see of the machine alone, if nothing else took time."""
        both = [subprocess.Popen([BUILD / "perf/stall", str(core), str(SECONDS)], text=True,
                                 stdout=subprocess.PIPE) for core in (self.poller, self.sender)]
        found = [json.loads(process.communicate(timeout=60)[0]) for process in both]
        return Percentiles({key: max(one[key] for one in found) for key in found[0]})

    def received_latency(self):
        say("acknowledgements of `received` at half the highest load, 64 B messages, open loop, "
            "beside what two idle loops on the same cores are kept waiting")
        node = self.node(ingest.NULL).start()
        try:
            with stopped(node.process):
                def leg():
                    node.process.send_signal(signal.SIGCONT)
                    try:
                        return self.received_leg(node)
                    finally:
                        node.process.send_signal(signal.SIGSTOP)
                found = Pairs(self.stall_leg, leg)
        finally:
            node.drain()
        held = found.enough and all(leg.all["held"] for _, leg in found.kept)
        middle, machine = ({key: statistics.median(pair[side].all[key] for pair in found.kept)
                            if found.kept else 0.0 for key in ("p50", "p99", "p99.9")}
                           for side in (1, 0))
        say(f"  {middle}, the machine alone {machine}")
        return {"legs": [{"machine": a.all, "penstock": b.all} for a, b in found.kept],
                "machine": machine}, [
            target(f"received_{key}", middle[key], goal, "us", at_least=False, enough=held)
            for key, goal in (("p50", 8), ("p99", 40), ("p99.9", 300))]

    # ---- The drive -------------------------------------------------------------------------------

    def drive_leg(self, node, *rate):
        """Bytes written a second; what the last leg did is kept. The node reads packets where they
        are: memif's own copy is as much work for the sender's core, which the drive needs too."""
        node.process.send_signal(signal.SIGCONT)
        before = self.marks(node)
        self.done = self.load(node, *LONG_1024, *rate, more=IN_PLACE)
        after = self.marks(node)
        node.process.send_signal(signal.SIGSTOP)
        self.passed = {key: after[key] - before[key] for key in after}
        return self.passed["written"] / self.done["seconds"]

    def floor_leg(self):
        """The other core is as little idle as it is beside a sender: it takes the interrupts."""
        beside = subprocess.Popen([BUILD / "perf/stall", str(self.sender), str(SECONDS), "yield"],
                                  stdout=subprocess.DEVNULL)
        done = json.loads(run(
            "taskset", "-c", self.poller, BUILD / "perf/floor", self.host.folder / "floor",
            FLOOR_FILE_BYTES, self.block_bytes, self.block_rate, SECONDS, ingest.DEPTH,
            timeout=120).stdout)
        beside.wait(timeout=60)
        return Percentiles(done["latency_us"])

    def durable_leg(self, node):
        """At half of the highest load just then, as above; the floor writes as many blocks."""
        self.drive_leg(node)
        rate = int(self.done["acknowledged"] / self.done["seconds"] / 2)
        blocks = self.blocks(node)
        self.drive_leg(node, "--rate", rate, *self.kept("durable"))
        blocks = max(self.blocks(node) - blocks, 1)
        self.block_bytes = self.passed["written"] // blocks
        self.block_rate = blocks / self.done["seconds"]
        held = self.done["messages"] >= ingest.RATE_SHARE * rate * SECONDS
        return Percentiles({**self.done["latency_us"], "rate": rate, "held": held,
                            "block_bytes": self.block_bytes, "blocks": blocks})

    def drive(self):
        say("1 KiB messages in frames of 8 KB to the drive, durable: fio beside penstockd")
        node = self.node(ingest.STORED).start()
        with stopped(node.process):  # a poller would be a load beside fio
            self.fio_leg()
            for _ in range(3):  # until every segment is used for the second time
                self.drive_leg(node)
            found = Pairs(self.fio_leg, lambda: self.drive_leg(node))
            say(f"  {found.ratio:.3f} of fio, {found.median(1) / 1e9:.2f} GB/s {by_mode(found)}")
            say("acknowledgements of `durable` at half the highest load, open loop, beside a "
                "program that only writes the same blocks")
            latencies = Pairs(lambda: self.durable_leg(node), self.floor_leg)
        node.process.send_signal(signal.SIGCONT)
        node.drain()
        legs = [(leg.all, bare.all) for leg, bare in latencies.kept]
        held = latencies.enough and all(leg["held"] for leg, _ in legs)
        ratios = {key: statistics.median(leg[key] / bare[key] for leg, bare in legs) if legs else 0
                  for key in ("p50", "p99", "p99.9")}
        p50 = statistics.median(leg["p50"] for leg, _ in legs) if legs else 0
        say(f"  p50 {p50:.0f} us, of the bare program: {ratios}")
        targets = [target("drive_of_fio", found.ratio, 0.95, "ratio", enough=found.enough),
                   target("durable_p50", p50, 250, "us", at_least=False, enough=held)]
        targets += [target(f"durable_{key}_of_bare", ratios[key], goal, "ratio", at_least=False,
                           enough=held) for key, goal in (("p99", 1.25), ("p99.9", 1.5))]
        return {"beside_fio": found.report(), "beside_fio_modes": by_mode(found),
                "legs": [{"penstock": leg, "bare": bare} for leg, bare in legs]}, targets

    def blocks(self, node):
        """A stopped node's books are those of when it was stopped."""
        return node.ledger()["gauges"][0]["blocks_durable"]

    # ---- Many sessions ---------------------------------------------------------------------------

    def sessions_leg(self, idle):
        node = self.node(ingest.NULL, sessions=SESSIONS + 4096).start()
        try:
            done = self.load(node, "--acks", "received", "--idle-sessions", idle, *PACKED_64)
            self.node_bytes[idle] = self.resident(node)
            self.bound = self.memory_bound(node)
        finally:
            node.drain()
        self.client_bytes[idle] = done["resident_bytes"]
        return done["acknowledged"] / done["seconds"]

    def memory_bound(self, node):
        return node.json("config", "check")["memory_bound"]

    def resident(self, node):
        status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
        return sum(int(value) for value in
                   re.findall(r"(?:VmHWM|HugetlbPages):\s+(\d+) kB", status)) * 1024

    def sessions(self):
        say(f"{SESSIONS:,} sessions open beside none, one loaded")
        self.node_bytes, self.client_bytes = {}, {}
        found = Pairs(lambda: self.sessions_leg(0), lambda: self.sessions_leg(SESSIONS))
        # The node takes it at its start, by its configuration, whether sessions are open or not.
        node = (self.memory_bound(self.node(ingest.NULL, sessions=SESSIONS + 4096)) -
                self.memory_bound(self.node(ingest.NULL))) / SESSIONS
        client = (self.client_bytes[SESSIONS] - self.client_bytes[0]) / SESSIONS
        say(f"  {found.ratio:.3f} of the rate; a session takes {node:.0f} bytes of the node, "
            f"{client:.0f} of the client")
        return {"beside_none": found.report(), "node": self.node_bytes,
                "client": self.client_bytes}, [
            target("rate_with_sessions_of_without", found.ratio, 0.95, "ratio",
                   enough=found.enough),
            target("session_bytes_node", node, SESSION_BYTES_NODE, "bytes", at_least=False),
            target("session_bytes_client", client, SESSION_BYTES_CLIENT, "bytes", at_least=False),
            target("resident_memory_of_bound", self.node_bytes[SESSIONS] / self.bound, 1.05,
                   "ratio", at_least=False)]


def main():
    host = Host("pdp")
    results, targets = {}, []

    def keep(name, measured):
        results[name] = measured[0]
        targets.extend(measured[1])

    try:
        host.hugepages(2048)
        pdp = Pdp(host)
        keep("null_volume", pdp.null_volume())
        keep("received", pdp.received_latency())
        keep("drive", pdp.drive())
        keep("sessions", pdp.sessions())
        sockets = kernel.Kernel(host)
        keep("kernel", sockets.measure())
        keep("hostile", hostile.Hostile(sockets.wire).measure())
    finally:
        host.close()
    write("pdp", targets, **results)


if __name__ == "__main__":
    main()
