"""A producer that speaks PDP as docs/pdp.md says it, for tests of the node from outside: one frame
at a time, no window, no pacing. The real one is dataplane/client."""

import os
import socket
import struct
import time

MAGIC, VERSION = 0x4450, 1
(HELLO, COOKIE, OPEN, ACCEPT, REFUSE, DATA, SKIP, ACK, REJECT, SUBJECT, CAPTURE, PING, CLOSE,
 CLOSED, GO_AWAY, CHALLENGE, RESPONSE, RESET) = range(1, 19)
NONE, RECEIVED, WRITTEN, DURABLE = range(4)


def frame(kind, connection, body, flags=0):
    return struct.pack("<HBBHHQ", MAGIC, VERSION, kind, flags, 16 + len(body), connection) + body


def message(payload, subject=b""):
    head = struct.pack("<IIHHHH", len(payload), 0, len(subject), 0, 0, 0)
    raw = head + subject + payload
    return raw + bytes(-len(raw) % 8)


class Ack:
    def __init__(self, body):
        (self.received, self.written, self.durable, self.limit, self.lost, self.credit_bytes,
         self.echoed_us, self.delay_us, self.probe_bytes, self.state, count,
         _) = struct.unpack_from("<QQQQQIIIHBBQ", body)
        self.ranges = [struct.unpack_from("<QQ", body, 64 + 16 * i) for i in range(count)]


class Producer:
    """One session over one socket, connected to the node."""

    def __init__(self, sock, name, level=DURABLE, subject=b"app.test"):
        self.sock = sock
        self.sock.settimeout(0.2)
        self.name, self.level, self.subject = name, level, subject
        self.connection = 0
        self.boot = None
        self.next = 0    # of the next message
        self.held = {}   # sequence: (count, frame's messages), not at its level yet
        self.ack = None  # the last one
        self.seen = {}   # type: the last frame's body of it

    def receive(self):
        """The type of the next frame, or None when none came in time."""
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None
        magic, version, kind, _, length, connection = struct.unpack_from("<HBBHHQ", data)
        assert (magic, version, length) == (MAGIC, VERSION, len(data)), data[:16]
        body = data[16:]
        self.seen[kind] = body
        if kind == ACK and connection == self.connection:
            self.ack = Ack(body)
            reached = {RECEIVED: self.ack.received, WRITTEN: self.ack.written,
                       DURABLE: self.ack.durable}.get(self.level, self.next)
            for sequence in [s for s, (count, _) in self.held.items() if s + count <= reached]:
                del self.held[sequence]
        return kind if connection in (0, self.connection) or kind == ACCEPT else None

    def send(self, data):
        try:
            self.sock.send(data)
        except ConnectionRefusedError:
            pass

    def ask(self, data, kind, deadline_s):
        """Sends until a frame of this kind comes; its body."""
        end = time.monotonic() + deadline_s
        self.seen.pop(kind, None)
        while time.monotonic() < end:
            self.send(data)
            while (came := self.receive()) is not None:
                if came == kind:
                    return self.seen[kind]
        raise AssertionError(f"no frame of type {kind} came")

    def open(self, deadline_s=30):
        """(Re)opens the session; returns the node's next sequence."""
        end = time.monotonic() + deadline_s
        while True:
            nonce = os.urandom(16)
            hello = frame(HELLO, 0, nonce + struct.pack("<I", 1) + bytes(1200 - 36))
            cookie = self.ask(hello, COOKIE, end - time.monotonic())
            issued, tag = struct.unpack_from("<Q16s", cookie, 16)
            oldest = min(self.held, default=self.next)
            body = nonce + struct.pack("<Q16sQQHHBBH", issued, tag, oldest, self.next, self.level,
                                       1400, 0, len(self.name), 0) + self.name
            self.seen.pop(ACCEPT, None)
            self.send(frame(OPEN, 0, body))
            while (kind := self.receive_any()) is not None:
                if kind == ACCEPT and self.seen[ACCEPT][:16] == nonce:
                    return self.accepted()

    def receive_any(self):
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None
        kind = data[3]
        self.seen[kind] = data[16:]
        if kind == ACCEPT:
            self.connection = struct.unpack_from("<Q", data, 8)[0]
        return kind

    def accepted(self):
        body = self.seen[ACCEPT]
        (self.session, self.boot, following, _, self.limit, self.credit_bytes, self.idle_ms,
         self.frame_bytes_max, self.shard,
         self.shards) = struct.unpack_from("<QQQQQIIHHH", body, 32)
        if not self.held:
            self.next = max(self.next, following)
        self.held = {s: f for s, f in self.held.items() if s + f[0] > following}
        return following

    def produce(self, payloads):
        """One frame of these payloads, kept until it is at its level."""
        area = b"".join(message(p, self.subject if i == 0 else b"")
                        for i, p in enumerate(payloads))
        self.held[self.next] = (len(payloads), area)
        self.transmit(self.next)
        self.next += len(payloads)

    def transmit(self, sequence):
        count, area = self.held[sequence]
        self.send(frame(DATA, self.connection, struct.pack("<QII", sequence, count, 7) + area))

    def flush(self, deadline_s=60):
        """Until nothing is held; opens the session anew when the node does not know it."""
        end = time.monotonic() + deadline_s
        while self.held:
            assert time.monotonic() < end, f"{len(self.held)} frames are not at their level"
            kind = self.receive()
            if kind == RESET:
                self.open()
            if kind in (None, RESET):
                for sequence in sorted(self.held)[:64]:
                    self.transmit(sequence)

    def ping(self, bytes_=32):
        self.ask(frame(PING, self.connection, struct.pack("<I", 9) + bytes(bytes_ - 20)), ACK, 10)
        return self.ack

    def close(self, deadline_s=30):
        return self.ask(frame(CLOSE, self.connection, struct.pack("<QQ", self.next, 0)), CLOSED,
                        deadline_s)
