"""Producers that never rest: each is a thread that keeps a window of numbered messages under way to
a node, opens its session anew whenever the node forgot it, and knows every acknowledgement.

A message says its session and its number there, which is its sequence; what it says besides follows
from that."""

import contextlib
import os
import struct
import threading
import time

from tests.lib import pdp_producer as pdp

ANSWER_S = 0.03  # after which it asks, or sends, again
WINDOW_FRAMES = 24
FILLER = b"what a message says besides follows from its number, so that nothing can be invented; "


def payload(name, number):
    text = name + b":%d:" % number
    return text + (FILLER * 4)[number % 80:number % 80 + 40 + number * 7 % 200]


class RestlessProducer(pdp.Producer, threading.Thread):
    def __init__(self, sock, name):
        threading.Thread.__init__(self, name=name.decode(), daemon=True)
        pdp.Producer.__init__(self, sock, name)
        sock.settimeout(ANSWER_S)
        self.session_name = name
        self.rests = threading.Event()  # sends nothing new: only what is not durable yet
        self.ended = threading.Event()
        self.error = None
        self.durable = 0      # messages before this one were acknowledged as durable
        self.openings = 0
        self.silence = 0  # times in a row that nothing came
        self.accepted_connection = 0
        self.acknowledgements = 0  # that more is durable

    def run(self):
        try:
            while not self.ended.is_set():
                if self.connection == 0 and not self.try_to_open():
                    continue
                self.work()
        except BaseException as error:  # pylint: disable=broad-exception-caught
            self.error = error

    # ---- Opening ----

    def try_to_open(self):
        nonce = os.urandom(16)
        self.send(pdp.frame(pdp.HELLO, 0, nonce + struct.pack("<I", 1) + bytes(1200 - 36)))
        if not self.came(pdp.COOKIE, nonce):
            return False
        issued, tag = struct.unpack_from("<Q16s", self.seen[pdp.COOKIE], 16)
        oldest = min(self.held, default=self.next)
        self.send(pdp.frame(pdp.OPEN, 0, nonce + struct.pack(
            "<Q16sQQHHBBH", issued, tag, oldest, self.next, self.level, 1400, 0,
            len(self.session_name), 0) + self.session_name))
        if not self.came(pdp.ACCEPT, nonce):
            return False
        following, durable = struct.unpack_from("<QQ", self.seen[pdp.ACCEPT], 48)
        assert following >= self.durable, \
            f"{self.name}: {self.durable} were durable, the node goes on at {following}"
        assert durable <= following <= self.next, f"{self.name}: {durable} {following} {self.next}"
        assert following in self.held or following == self.next, \
            f"{self.name}: {following} is in the middle of a frame"
        self.connection = self.accepted_connection
        self.openings += 1
        self.learn(durable)
        self.transmit_from(following)
        return True

    def came(self, kind, nonce):
        """Whether an answer of this kind to that nonce comes in time."""
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            if self.receive_any() == kind and self.seen[kind][:16] == nonce:
                return True
        return False

    def receive_any(self):
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            data = self.sock.recv(65536)
            self.seen[data[3]] = data[16:]
            self.accepted_connection = struct.unpack_from("<Q", data, 8)[0]
            return data[3]
        return None

    # ---- Sending, and what comes back ----

    def work(self):
        while not self.rests.is_set() and len(self.held) < WINDOW_FRAMES:
            count = 1 + self.next * 5 % 7
            self.produce([payload(self.session_name, self.next + i) for i in range(count)])
        kind = self.receive()
        if kind == pdp.ACK:
            self.learn(self.ack.durable)
        elif kind in (pdp.RESET, pdp.GO_AWAY):
            self.connection = 0
        elif kind is None:
            self.silence += 1
            self.transmit_from(0)
            if self.silence > 3:  # the RESET of a node that was started anew may be lost
                self.connection = 0
        if kind is not None:
            self.silence = 0

    def learn(self, durable):
        assert durable <= self.next, f"{self.name}: {durable} durable, {self.next} were sent"
        if durable > self.durable:
            self.acknowledgements += 1
            self.durable = durable
        for sequence in [s for s, (count, _) in self.held.items() if s + count <= durable]:
            del self.held[sequence]

    def transmit_from(self, first):
        for sequence in sorted(self.held):
            if sequence >= first:
                self.transmit(sequence)
