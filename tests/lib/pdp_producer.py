"""A producer that speaks PDP as docs/pdp.md says it, for tests of the node from outside: no pacing,
no round-trip times. The real one is dataplane/client."""

import os
import time
from types import SimpleNamespace

from tests.interop.pdp_frames import decode, encode, message

NONE, RECEIVED, WRITTEN, DURABLE = range(4)
FRAME_BYTES = 1400


class Producer:
    """One session over one socket, connected to the node."""

    def __init__(self, sock, name, level=DURABLE, subject=b"app.test"):
        self.sock = sock
        self.sock.settimeout(0.2)
        self.session_name, self.level, self.subject = name, level, subject
        self.connection = 0
        self.next = 0     # of the next message
        self.held = {}    # sequence: (count, frame's messages), not at its level yet
        self.seen = {}    # name of a frame: the last one's fields, with its tail and connection
        self.durable = 0  # messages before this one were acknowledged as durable

    def receive(self):
        """The name of the next frame, or None when none came in time or it was not for us."""
        try:
            name, header, fields, tail, _ = decode(self.sock.recv(65536))
        except (TimeoutError, ConnectionRefusedError):
            return None
        connection = header["connection"]
        if connection not in (0, self.connection) and name != "accept":
            return None
        self.seen[name] = SimpleNamespace(**fields, tail=tail, connection=connection)
        if name == "ack":
            self.learn(self.seen[name])
        return name

    def learn(self, ack):
        self.durable = max(self.durable, ack.durable)
        reached = {RECEIVED: ack.received, WRITTEN: ack.written,
                   DURABLE: ack.durable}.get(self.level, self.next)
        self.forget(reached)

    def forget(self, end):
        """Messages before `end` need not be sent again."""
        self.held = {s: f for s, f in self.held.items() if s + f[0] > end}

    def send(self, kind, tail=b"", length=0, **fields):
        try:
            self.sock.send(encode(kind, self.connection, tail, length, **fields))
        except ConnectionRefusedError:
            pass

    def answer(self, kind, answer_s, **wanted):
        """The next frame of that name with these fields, if it comes in time."""
        end = time.monotonic() + answer_s
        while time.monotonic() < end:
            if self.receive() == kind and wanted.items() <= vars(self.seen[kind]).items():
                return self.seen[kind]
        return None

    def ask(self, kind, answer, deadline_s=30, **options):
        """Sends again and again until the answer comes."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            self.send(kind, **options)
            if found := self.answer(answer, 0.2):
                return found
        raise AssertionError(f"no {answer} came")

    # ---- Opening ----

    def try_to_open(self, answer_s=0.2):
        """(Re)opens the session, in one try: the node's ACCEPT, or None."""
        nonce = os.urandom(16)
        self.connection = 0
        self.send("hello", nonce=nonce, sent_us=1)
        cookie = self.answer("cookie", answer_s, nonce=nonce)
        if cookie is None:
            return None
        self.send("open", tail=self.session_name, nonce=nonce, issued_ns=cookie.issued_ns,
                  cookie=cookie.cookie, oldest=min(self.held, default=self.next), next=self.next,
                  level=self.level, frame_bytes_max=FRAME_BYTES, name_bytes=len(self.session_name))
        accept = self.answer("accept", answer_s, nonce=nonce)
        if accept is not None:
            self.connection = accept.connection
        return accept

    def open(self, deadline_s=30):
        """Opens until it is open; the node's next sequence."""
        end = time.monotonic() + deadline_s
        while (accept := self.try_to_open()) is None:
            assert time.monotonic() < end, "the session is not opened"
        if not self.held:
            self.next = max(self.next, accept.next)
        self.forget(accept.next)
        return accept.next

    # ---- Sending ----

    def hold(self, payloads):
        """One frame of these payloads, not sent yet; its sequence."""
        area = b"".join(message(p, self.subject if i == 0 else b"")
                        for i, p in enumerate(payloads))
        sequence, self.next = self.next, self.next + len(payloads)
        self.held[sequence] = (len(payloads), area)
        return sequence

    def produce(self, payloads):
        self.transmit(self.hold(payloads))

    def transmit(self, sequence):
        count, area = self.held[sequence]
        self.send("data", tail=area, sequence=sequence, message_count=count, sent_us=7)

    def flush(self, deadline_s=60):
        """Until nothing is held; opens the session anew when the node does not know it."""
        end = time.monotonic() + deadline_s
        while self.held:
            assert time.monotonic() < end, f"{len(self.held)} frames are not at their level"
            kind = self.receive()
            if kind == "reset":
                self.open()
            if kind in (None, "reset"):
                for sequence in sorted(self.held)[:64]:
                    self.transmit(sequence)

    def ping(self):
        return self.ask("ping", "ack", sent_us=9)

    def close(self, deadline_s=30):
        return self.ask("close", "closed", deadline_s, next=self.next)
