"""Producers that never rest: each is a thread that keeps a window of numbered messages under way to
a node, opens its session anew whenever the node forgot it, and knows every acknowledgement.

A message says its session and its number there, which is its sequence; what it says besides follows
from that."""

import threading

from tests.lib import pdp_producer as pdp

ANSWER_S = 0.03  # after which it asks, or sends, again
WINDOW_FRAMES = 24
FILLER = b"what a message says besides follows from its number, so that nothing can be invented; "


def payload(name, number):
    text = name + b":%d:" % number
    return text + (FILLER * 4)[number % 80:number % 80 + 40 + number * 7 % 200]


class RestlessProducer(pdp.Producer, threading.Thread):
    def __init__(self, sock, name):
        pdp.Producer.__init__(self, sock, name)
        threading.Thread.__init__(self, name=name.decode(), daemon=True)
        sock.settimeout(ANSWER_S)
        self.rests = threading.Event()  # sends nothing new: only what is not durable yet
        self.ended = threading.Event()
        self.error = None
        self.openings = 0
        self.silence = 0  # times in a row that nothing came
        self.acknowledgements = 0  # that more is durable

    def run(self):
        try:
            while not self.ended.is_set():
                self.open_again() if self.connection == 0 else self.work()
        except BaseException as error:  # pylint: disable=broad-exception-caught
            self.error = error

    def open_again(self):
        accept = self.try_to_open(ANSWER_S)
        if accept is None:
            return
        following, durable = accept.next, accept.durable
        assert following >= self.durable, \
            f"{self.name}: {self.durable} were durable, the node goes on at {following}"
        assert durable <= following <= self.next, f"{self.name}: {durable} {following} {self.next}"
        assert following in self.held or following == self.next, \
            f"{self.name}: {following} is in the middle of a frame"
        self.openings += 1
        self.learn(accept)
        self.transmit_from(following)

    # ---- Sending, and what comes back ----

    def work(self):
        while not self.rests.is_set() and len(self.held) < WINDOW_FRAMES:
            count = 1 + self.next * 5 % 7
            self.produce([payload(self.session_name, self.next + i) for i in range(count)])
        kind = self.receive()
        if kind in ("reset", "go_away"):
            self.connection = 0
        elif kind is None:
            self.silence += 1
            self.transmit_from(0)
            if self.silence > 3:  # the RESET of a node that was started anew may be lost
                self.connection = 0
        if kind is not None:
            self.silence = 0

    def learn(self, ack):
        """From an ACK or an ACCEPT, which both say what is durable."""
        assert ack.durable <= self.next, f"{self.name}: {ack.durable} durable, {self.next} sent"
        if ack.durable > self.durable:
            self.acknowledgements += 1
            self.durable = ack.durable
        self.forget(ack.durable)

    def transmit_from(self, first):
        for sequence in sorted(self.held):
            if sequence >= first:
                self.transmit(sequence)
