"""penstock-blast -> memif -> penstockd, beside the machine's limits in the same run, pair by pair:
testpmd that only receives, on the same memif and sizes; fio on a file of the same size, block and
depth.

Leaves build/perf/ingest.json."""

import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measure import (BUILD, PAIRS, Pairs, busy_seconds, cores, foreign_share,  # noqa: E402
                     process_seconds, run, say, stopped, target, write)
from tests.lib.harness import Host, Node, wait_until  # noqa: E402

SECONDS = 1.0
STATION = "02:00:00:00:00:01"
BLOCK_BYTES = 256 * 1024
DEPTH = 8
DRIVE_BYTES = 1 << 30  # of fio's file, written again and again
# A message of 1,024 bytes as it lies in a block: header and padding to 8 bytes; the subject is said
# once a run, and blocks end with what did not hold another message.
BYTES_WRITTEN_PER_MESSAGE = 1045
RATES_TRIED = 3
RATE_SHARE = 0.97

CONFIG = """
[node]
name = "{name}"
runtime_dir = "{runtime}"
[dpdk]
memory = "160MiB"
[[port]]
name = "mem0"
device = "net_memif0,role=server,socket={folder}/memif.sock,socket-abstract=no,mac=STATION"
addresses = ["10.78.0.1/24"]
mtu = 9000
[[shard]]
core = CORE
poll = "busy"
[[volume]]
name = "main"
VOLUME
block_bytes = "256KiB"
queue_depth = 8
[[door]]
name = "lines"
kind = "line"
listen = ["*:5140"]
[[door]]
name = "syslog"
kind = "syslog"
listen = ["*:514"]
"""
NULL = 'kind = "null"'
STORED = ('path = "{folder}/volume"\nsegment_bytes = "64MiB"\nmemory = "64MiB"\n'
          'ready_segments = 4\nretention.max_bytes = "1GiB"')

CASES = {
    "line_64": (["--size", 64], 5140, 0.60),
    "line_256": (["--size", 256], 5140, 0.55),
    "line_1024": (["--size", 1024], 5140, 0.40),
    "line_100_packed_8000": (["--size", 100, "--packed", 8000], 5140, None),
    "syslog_256": (["--size", 256, "--payload", "syslog"], 514, 0.30),
}


class Ingest:
    def __init__(self, host):
        self.host = host
        self.poller, self.sender = cores()
        self.lives = 0

    def node(self, volume):
        text = (CONFIG.replace("STATION", STATION).replace("CORE", str(self.poller))
                .replace("VOLUME", volume))
        return Node(self.host, text, name="null" if volume == NULL else "stored")

    def blast(self, socket, port, options, **more):
        """Messages a second that the receiver took: the ring between them is short."""
        done = run(BUILD / "penstock-blast", "--device",
                   f"net_memif1,role=client,socket={socket},socket-abstract=no", "--to",
                   f"10.78.0.1:{port}", "--to-ethernet", STATION, "--core", self.sender, "--json",
                   "--linger", "0.05", *options,
                   *(() if more.get("count") else ("--seconds", SECONDS)), timeout=120)
        return json.loads(done.stdout)

    def penstock_leg(self, case):
        options, port, _ = CASES[case]
        node = self.node(NULL).start()
        try:
            sent = self.blast(node.folder / "memif.sock", port, options)
        finally:
            node.drain()
        # What was received and dropped was not ingested.
        return node.total("stored") / sent["seconds"]

    def receive_only_leg(self, case):
        options, port, _ = CASES[case]
        self.lives += 1
        socket = self.host.folder / f"testpmd{self.lives}.sock"
        process = self.host.start(
            "dpdk-testpmd", "--lcores", f"0@{self.sender},1@{self.poller}", "--in-memory",
            "--no-pci",
            "-m", "160", "--file-prefix", f"testpmd{self.lives}", "--vdev",
            f"net_memif0,role=server,socket={socket},socket-abstract=no,mac={STATION}", "--",
            "--forward-mode=rxonly", "--auto-start", "--total-num-mbufs=8192", "--rxd=1024",
            "--txd=512", "-i", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        try:
            wait_until(socket.exists, "testpmd's socket", process=process)
            return self.blast(socket, port, options)["messages_per_second"]
        finally:
            process.terminate()
            process.wait()

    def null_volume(self):
        results, targets = [], []
        for case, (_, _, goal) in CASES.items():
            say(f"{case}: receive-only beside penstockd on a null volume")
            found = Pairs(lambda c=case: self.receive_only_leg(c),
                          lambda c=case: self.penstock_leg(c))
            results.append({"case": case, **found.report()})
            rate = found.median(1) / 1e6
            say(f"  {found.ratio:.3f} of receive-only, {rate:.2f} M/s")
            if goal:
                targets.append(target(f"{case}_of_receive_only", found.ratio, goal, "ratio",
                                      enough=found.enough))
            else:
                targets.append(target(f"{case}_rate", rate, 20, "million messages/s",
                                      enough=found.enough))
        return results, targets

    # The drive: one node on one volume whose segments are recycled, as they are for ever after.

    def fio_leg(self):
        file = self.host.folder / "fio"
        done = run("fio", "--name=limit", f"--filename={file}", "--rw=write", "--ioengine=io_uring",
                   "--direct=1", "--sync=dsync", f"--bs={BLOCK_BYTES}", f"--iodepth={DEPTH}",
                   "--fixedbufs=1", "--registerfiles=1", f"--size={DRIVE_BYTES}", "--overwrite=1",
                   "--time_based=1", f"--runtime={SECONDS}", f"--cpus_allowed={self.poller}",
                   "--output-format=json", timeout=120)
        return json.loads(done.stdout)["jobs"][0]["write"]["bw_bytes"]

    def drive_leg(self, node, *rate):
        """What a second of load does: bytes written a second, and processor seconds a GB stored."""
        node.process.send_signal(signal.SIGCONT)
        before = self.marks(node)
        sender = self.host.start(
            BUILD / "penstock-blast", "--device",
            f"net_memif1,role=client,socket={node.folder}/memif.sock,socket-abstract=no", "--to",
            "10.78.0.1:5140", "--to-ethernet", STATION, "--core", self.sender, "--size", 1024,
            "--seconds", SECONDS + 0.5, "--linger", "0.05", *rate, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(lambda: self.marks(node)["stored"] > before["stored"], "the first of the leg",
                   process=sender)
        before, begin = self.marks(node, sender), time.monotonic()
        while time.monotonic() < begin + SECONDS:
            time.sleep(0.02)
        after, end = self.marks(node, sender), time.monotonic()
        sender.wait()
        wait_until(lambda: node.ledger()["total"]["in_flight"]["messages"] == 0, "all on the drive",
                   process=node.process)
        node.process.send_signal(signal.SIGSTOP)
        passed = {key: after[key] - before[key] for key in after}
        # The kernel's own work, for the drive and else, as far as it is more than when all is idle.
        kernel = passed["machine"] - passed["node"] - passed["sender"] - self.idle * (end - begin)
        self.cost.append((passed["work"] + max(kernel, 0)) / (passed["stored_bytes"] / 1e9))
        return passed["written"] / (end - begin)

    def marks(self, node, sender=None):
        ledger = node.ledger()
        gauges = ledger["gauges"][0]
        return {"stored": ledger["total"]["stored"]["messages"],
                "stored_bytes": ledger["total"]["stored"]["bytes"],
                "dropped": ledger["total"]["dropped"]["messages"],
                "written": gauges["bytes_written"],
                # The shard's working turns, and whatever other threads of the process take.
                "work": gauges["busy_cycles"] / gauges["tsc_hz"] + other_threads_seconds(node),
                "node": process_seconds(node.process.pid),
                "sender": process_seconds(sender.pid) if sender else 0.0,
                "machine": busy_seconds()}

    def drive(self):
        say("1 KiB messages to the drive, durable: fio beside penstockd")
        self.cost = []
        node = self.node(STORED).start()
        with stopped(node.process):  # a poller would be a load beside fio
            self.idle = foreign_share()
            self.fio_leg()
            for _ in range(3):  # until every segment is used for the second time
                self.drive_leg(node)
            found = Pairs(self.fio_leg, lambda: self.drive_leg(node))
            rate = found.median(1) / BYTES_WRITTEN_PER_MESSAGE
            say(f"  {found.ratio:.3f} of fio, {found.median(1) / 1e9:.2f} GB/s")
            # At a rate that it holds: what is dropped costs too, and is not stored.
            self.cost = []
            for _ in range(PAIRS):
                self.drive_leg(node, "--rate", int(0.9 * rate))
            cost = statistics.median(self.cost)
            say(f"  {cost:.3f} processor seconds per GB at {0.9 * rate / 1e6:.2f} M messages/s")
        targets = [target("drive_of_fio", found.ratio, 0.95, "ratio", enough=found.enough),
                   target("processor_seconds_per_gigabyte", cost, 0.25, "s/GB", at_least=False)]
        targets += self.without_loss(node, int(0.9 * rate))
        targets += self.memory(node)
        node.drain()
        return {"beside_fio": found.report(), "cost": self.cost}, targets

    def without_loss(self, node, rate):
        # memif makes the sender wait: a rate that was not reached was not held, and says that the
        # sender's highest is lower than the drive's.
        for _ in range(RATES_TRIED):
            before = self.marks(node)
            sent = self.blast(node.folder / "memif.sock", 5140,
                              ["--size", 1024, "--rate", rate, "--count", 2 * rate], count=True)
            wait_until(lambda: node.ledger()["total"]["in_flight"]["messages"] == 0,
                       "all on the drive", process=node.process)
            lost = self.marks(node)["dropped"] - before["dropped"]
            held = sent["messages"] / sent["seconds"] / rate
            say(f"  {lost} lost of {sent['messages']:,} at {rate / 1e6:.2f} M/s, of which "
                f"{held:.3f} was reached")
            if held > RATE_SHARE:
                break
            rate = int(0.9 * held * rate)
        return [target("lost_at_0.9_of_the_highest_rate", lost, 0, "messages", at_least=False,
                       enough=held > RATE_SHARE)]

    def memory(self, node):
        status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
        resident = sum(int(value) for value in
                       re.findall(r"(?:VmHWM|HugetlbPages):\s+(\d+) kB", status)) * 1024
        bound = node.json("config", "check")["memory_bound"]
        return [target("resident_memory_of_bound", resident / bound, 1.05, "ratio", at_least=False)]


def other_threads_seconds(node):
    """Processor time of all threads but the shards', whose idle turns are no work."""
    total = 0
    for task in pathlib.Path(f"/proc/{node.process.pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        name = (task / "comm").read_text()
        if not name.startswith(("rte-worker", "lcore-worker")):
            total += int(fields[11]) + int(fields[12])
    return total / 100


def main():
    host = Host("ingest")
    try:
        host.hugepages(1024)
        ingest = Ingest(host)
        null_results, targets = ingest.null_volume()
        drive_results, drive_targets = ingest.drive()
    finally:
        host.close()
    write("ingest", targets + drive_targets, null_volume=null_results, drive=drive_results)


if __name__ == "__main__":
    main()
