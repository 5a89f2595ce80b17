"""Beside a producer who does as docs/pdp.md says, somebody who sends what it forbids: each frame of
tests/vectors/pdp, handshakes from addresses that do not exist, and the producer's own frames again,
cut and changed. What is left of the good one's rate."""

import json
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "receivers"))

import receivers  # noqa: E402
from measure import BUILD, REPO, Pairs, say, stopped, target  # noqa: E402
from tests.interop.pdp_frames import TRAILER_BYTES, encode  # noqa: E402
from tests.lib import frames  # noqa: E402
from tests.lib.harness import end_process, wait_until  # noqa: E402

PORT = 7373
BYTES = 256  # of a message
SECONDS = 2
KEY = "33" * 32
DOOR = """name = "pdp"
kind = "pdp"
listen = ["*:7373"]
pdp.keys = "KEYS"
pdp.keys_required = ["10.77.0.2/32"]"""
STRANGERS = 2000  # handshakes that are begun by nobody
CAPTURED = 500    # frames of the producer, each sent on in four ways
PER_SECOND = 200_000
NICE = 5  # it shares the sender's core, which is not what is measured
UDP_START = 14 + 20
FRAME_BYTES_MAX = 1472
GROWTH_MAX = 1 << 20


def vectors():
    """The frames that a producer may or may not send, all for a connection that is none."""
    for path in sorted((REPO / "tests/vectors/pdp").glob("*.json")):
        for vector in json.loads(path.read_text()).get("vectors", []):
            frame = bytes.fromhex("".join(vector["hex"])).ljust(vector.get("zeros_up_to", 0), b"\0")
            if len(frame) <= FRAME_BYTES_MAX:
                yield frame


def handshakes(rng):
    for _ in range(STRANGERS):
        yield encode("hello", nonce=rng.randbytes(16))
        yield encode("open", nonce=rng.randbytes(16), issued_ns=time.monotonic_ns(),
                     cookie=rng.randbytes(16), level=3, frame_bytes_max=1232, name_bytes=8,
                     tail=rng.randbytes(8))


def from_anywhere(rng, payload):
    datagram = frames.udp(payload, port=PORT, source_port=rng.randrange(1024, 65536))
    return frames.v4(datagram, source=rng.randbytes(4))


def twisted(rng, packet):
    """A packet of the producer's as it was, and its frame cut, changed, and with a number that the
    seal is not for."""
    frame, source_port = packet[UDP_START + 8:], int.from_bytes(packet[UDP_START:][:2], "big")
    place = rng.randrange(len(frame))
    changed = frame[:place] + bytes([frame[place] ^ 1 << rng.randrange(8)]) + frame[place + 1:]
    number = struct.pack("<Q", rng.randrange(1 << 40, 1 << 41))
    renumbered = frame[:-TRAILER_BYTES] + number + frame[8 - TRAILER_BYTES:]
    yield packet
    for payload in (frame[:place], changed, renumbered):
        yield frames.v4(frames.udp(payload, port=PORT, source_port=source_port))


def write_pcap(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for packet in packets:
            file.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)


def captured(namespace, interface):
    """Packets that leave for the node."""
    tap = namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    with tap:
        tap.bind((interface, 3))
        tap.settimeout(10)
        packets = []
        while len(packets) < CAPTURED:
            packet = tap.recv(65536)
            if packet[UDP_START + 2:][:2] == PORT.to_bytes(2, "big"):
                packets.append(packet)
    return packets


class Hostile:
    """Of perf/receivers: its wire, and its node on AF_XDP."""

    def __init__(self, wire):
        self.wire = wire
        self.folder = wire.host.folder
        self.keys = self.folder / "keys"
        self.keys.write_text(f"good {KEY}\n")
        self.keys.chmod(0o600)
        self.node = receivers.Penstock(self.wire, DOOR.replace("KEYS", str(self.keys)))
        self.rng = random.Random(7)
        strange = list(vectors()) + list(handshakes(self.rng))
        self.packets = [from_anywhere(self.rng, payload) for payload in strange]
        self.rate = 0
        self.rate = int(self.quiet_leg() / 2)

    def start_producer(self):
        return subprocess.Popen(list(map(str, self.wire.sender.command(
            "taskset", "-c", self.wire.sender_core, BUILD / "perf/producer",
            f"{self.node.address}:{PORT}", BYTES, SECONDS, self.rate, "key.name=good",
            f"key.file={self.keys}"))), stdout=subprocess.PIPE, text=True)

    def good_rate(self, producer):
        done = json.loads(producer.communicate(timeout=60)[0])
        if done["failed"]:
            raise RuntimeError(f"messages failed: {done}")
        return done["acknowledged"] / done["seconds"]

    def quiet_leg(self):
        return self.good_rate(self.start_producer())

    def hostile_leg(self):
        before = self.node.node.total("offered")
        producer = self.start_producer()
        wait_until(lambda: self.node.node.total("offered") > before, "messages come",
                   process=producer)
        packets = self.packets + [one for packet in captured(self.wire.sender, "eth0")
                                  for one in twisted(self.rng, packet)]
        self.rng.shuffle(packets)
        write_pcap(self.folder / "hostile.pcap", packets)
        flood = subprocess.Popen(list(map(str, self.wire.sender.command(
            "taskset", "-c", self.wire.sender_core, "nice", "-n", NICE, "tcpreplay", "--intf1",
            "eth0", "--pps", PER_SECOND, "--loop", 0, "--preload-pcap", "--quiet",
            self.folder / "hostile.pcap"))), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return self.good_rate(producer)
        finally:
            end_process(flood)

    def awake(self, leg):
        self.node.process.send_signal(signal.SIGCONT)
        try:
            return leg()
        finally:
            self.node.process.send_signal(signal.SIGSTOP)

    def causes(self):
        """Frames that came to nothing, by cause."""
        door = self.node.node.ledger()["pdp"][0]
        return {cause: count["frames"] for fate in ("ignored", "malformed") for cause, count in
                door[fate].items() if count["frames"]}

    def resident(self):
        status = pathlib.Path(f"/proc/{self.node.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def measure(self):
        say(f"{self.rate:,} acknowledged messages a second, half of the most, sealed; beside them "
            f"nobody, and whoever sends what is forbidden, {PER_SECOND:,} packets a second asked")
        resident = self.resident()
        with stopped(self.node.process):
            found = Pairs(lambda: self.awake(self.quiet_leg), lambda: self.awake(self.hostile_leg))
        growth, causes = self.resident() - resident, self.causes()
        self.node.close()
        say(f"  {found.ratio:.3f} of the rate, {sum(causes.values()):,} hostile frames by "
            f"{len(causes)} causes, memory grew by {growth:,} bytes")
        return {"beside_nobody": found.report(), "causes": causes}, [
            target("rate_beside_hostile_frames", found.ratio, 0.95, "ratio", enough=found.enough),
            target("memory_growth_by_hostile_frames", growth, GROWTH_MAX, "bytes",
                   at_least=False)]
