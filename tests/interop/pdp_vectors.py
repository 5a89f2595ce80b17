#!/usr/bin/env python3
"""Writes tests/vectors/pdp: frames made by pdp_frames.py, with what they mean."""

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.interop import pdp_bad_frames  # noqa: E402
from tests.interop.pdp_frames import (  # noqa: E402
    FRAMES, decode, encode, message, messages_of, node_frames_key, open_key, producer_frames_key,
    ranges, session_number)

FOLDER = os.path.join(ROOT, "tests", "vectors", "pdp")
ROW_BYTES = 32
ZEROS_SHOWN_MAX = 64

NONCE, NODE_NONCE = bytes(range(0x10, 0x20)), bytes(range(0x20, 0x30))
COOKIE = bytes(range(0xC0, 0xD0))
KEY = bytes(range(0x80, 0xA0))
OPEN_KEY = open_key(KEY, NONCE, COOKIE)
PRODUCER_KEY = producer_frames_key(KEY, NONCE, COOKIE, NODE_NONCE)
NODE_KEY = node_frames_key(KEY, NONCE, COOKIE, NODE_NONCE)
CONNECTION = 0x1122334455667788
BOOT = 0xB007B007B007B007
END = 1 << 62
NAME = b"db7/orders"


def run_of_small_messages():
    first = message(b"cpu 0.97 0", b"metrics.eu.db7.cpu")
    return first + b"".join(message(b"cpu 0.97 %039d" % i) for i in range(16))


def opened(**other):
    fields = {"nonce": NONCE, "issued_ns": 5_000_000_000, "cookie": COOKIE, "oldest": 0, "next": 0,
              "level": 3, "frame_bytes_max": 8972, "name_bytes": len(NAME), "tail": NAME}
    return fields | other


def accepted(**other):
    fields = {"connection": CONNECTION, "nonce": NONCE, "node_nonce": NODE_NONCE, "boot": BOOT,
              "session": session_number(b"", NAME), "next": 1000, "durable": 900, "limit": 66536,
              "credit_bytes": 4 << 20, "idle_ms": 60_000, "frame_bytes_max": 8972, "shards": 1}
    return fields | other


def acknowledged(**other):
    fields = {"connection": CONNECTION, "received": 1000, "written": 900, "durable": 800,
              "limit": 2000, "lost": 7, "credit_bytes": 65536, "echoed_us": 123456, "delay_us": 40}
    return fields | other


def with_names(key, name, **other):
    return opened(key_bytes=len(key), name_bytes=len(name), tail=key + name, **other)


# type: (name of the vector, what encode() is given)
GOOD = {
    "hello": [("the_shortest", {"nonce": NONCE, "sent_us": 123456}),
              ("longer", {"nonce": NONCE, "sent_us": 0xFFFFFFFF, "length": 1400})],
    "cookie": [("of_the_second_of_four_shards",
                {"nonce": NONCE, "issued_ns": 5_000_000_000, "cookie": COOKIE, "echoed_us": 123456,
                 "shard": 1, "shards": 4, "boot": BOOT})],
    "open": [
        ("begun_anew", opened()),
        ("holds_messages", opened(oldest=1000, next=5000, level=2)),
        ("random_name", with_names(b"", bytes(range(64)), level=0, frame_bytes_max=1232)),
        ("with_a_key", with_names(b"orders", NAME, seal=(OPEN_KEY, 0))),
        ("last_sequence", opened(oldest=END, next=END, level=1)),
        ("no_such_level", opened(level=4)),
        ("no_name", opened(name_bytes=0, tail=b"")),
        ("name_too_long", with_names(b"", b"n" * 65)),
        ("key_name_too_long", with_names(b"k" * 65, NAME)),
        ("frames_too_short", opened(frame_bytes_max=1231)),
        ("frames_too_long", opened(frame_bytes_max=8973)),
        ("oldest_behind_next", opened(oldest=2, next=1)),
        ("sequences_too_large", opened(oldest=END, next=END + 1)),
    ],
    "accept": [("known_session", accepted()), ("sealed", accepted(seal=(NODE_KEY, 1))),
               ("last_sequence", accepted(next=END, durable=END, limit=END, lost=END, shard=63,
                                          shards=64, frame_bytes_max=1232))],
    "refuse": [(name, {"nonce": NONCE, "reason": reason, "retry_ms": retry})
               for name, reason, retry in (("full", 1, 5000), ("key_needed", 2, 0),
                                           ("key_wrong", 3, 0), ("ending", 4, 1000),
                                           ("bad_field", 5, 0))],
    "data": [
        ("one_message", {"sequence": 1000, "message_count": 1, "sent_us": 123456,
                         "tail": message(b"hello", b"greetings.world")}),
        ("the_shortest", {"message_count": 1, "tail": message(b"", b"s")}),
        ("keys_and_headers", {"sequence": 7, "message_count": 3, "tail": (
            message(b"created", b"orders.eu", b"order-17", [(b"trace", b"4bf92f35"), (b"", b"")])
            + message(b"", b"", b"order-18") + message(b"paid", headers=[(b"n", b"v" * 9)]))}),
        ("small_messages", {"sequence": END - 17, "message_count": 17,
                            "tail": run_of_small_messages()}),
        ("longest_subject", {"message_count": 1, "tail": message(b"x", b"s" * 1024)}),
        ("sealed", {"sequence": 1000, "message_count": 2, "seal": (PRODUCER_KEY, 1 << 32),
                    "tail": message(b"one", b"a.b") + message(b"another")}),
    ],
    "skip": [("one", {"sequence": 5, "message_count": 1, "sent_us": 9}),
             ("many", {"sequence": 0, "message_count": 0xFFFFFFFF, "seal": (PRODUCER_KEY, 2)})],
    "ack": [
        ("without_ranges", acknowledged()),
        ("with_ranges", acknowledged(range_count=2, tail=ranges([(1001, 1002), (1010, 1500)]))),
        ("all_ranges", acknowledged(range_count=32, state=4, tail=ranges(
            [(2 * i, 2 * i + 1) for i in range(501, 533)]))),
        ("of_a_probe", acknowledged(probe_bytes=8972, state=1, seal=(NODE_KEY, 3))),
        ("last_sequence", acknowledged(received=END - 2, limit=END, range_count=1, state=2,
                                       tail=ranges([(END - 1, END)]))),
    ],
    "reject": [(name, {"sequence": 1000, "message_count": 5, "reason": reason})
               for name, reason in (("no_stream", 1), ("bad_subject", 2), ("too_large", 3),
                                    ("captures_full", 4))],
    "subject": [("short", {"request": 1, "subject_bytes": 1, "tail": b"s"}),
                ("long", {"request": 0xFFFFFFFF, "subject_bytes": 1024, "tail": b"s" * 1024}),
                ("sealed", {"request": 2, "subject_bytes": 9, "tail": b"orders.eu",
                            "seal": (PRODUCER_KEY, 5)})],
    "capture": [("two_streams", {"request": 1, "streams": 2}),
                ("none", {"request": 2, "reason": 1}),
                ("sealed", {"request": 3, "streams": 1, "seal": (NODE_KEY, 4)})],
    "ping": [("the_shortest", {"sent_us": 123456}),
             ("probe", {"sent_us": 123456, "length": 8972}),
             ("sealed_probe", {"sent_us": 1, "length": 100, "seal": (PRODUCER_KEY, 3)})],
    "close": [("all_sent", {"next": 5000}), ("last_sequence", {"next": END})],
    "closed": [("all_durable", {"received": 5000, "durable": 5000, "lost": 12}),
               ("sealed", {"received": END, "durable": 0, "seal": (NODE_KEY, 9)})],
    "go_away": [("drain", {"reason": 1, "deadline_ms": 5000}),
                ("redirect", {"reason": 2, "endpoint_bytes": 14, "tail": b"10.77.0.9:7373"}),
                ("longest_endpoint", {"reason": 2, "endpoint_bytes": 256,
                                      "tail": b"h" * 251 + b":7373"})],
    "challenge": [("plain", {"token": 0x0123456789ABCDEF}),
                  ("sealed", {"token": 1, "seal": (NODE_KEY, 11)})],
    "response": [("plain", {"token": 0x0123456789ABCDEF}),
                 ("sealed", {"token": 1, "seal": (PRODUCER_KEY, 12)})],
    "reset": [("unknown_connection", {"boot": BOOT})],
}
UNCONNECTED = ("hello", "cookie", "open", "refuse")


def text(data):
    return data.decode("ascii")


def tail_of(kind, fields, tail):
    """What stands behind the fixed part, by the names that vectors give it."""
    if kind == "open":
        key_bytes = fields["key_bytes"]
        return {"key_name": text(tail[:key_bytes]), "session_name": tail[key_bytes:].hex()}
    if kind == "data":
        return {"messages": [
            {"subject": text(one.subject), "key": text(one.key), "payload": text(one.payload),
             "headers": [[text(name), text(value)] for name, value in one.headers]}
            for one in messages_of(tail, fields["message_count"])]}
    if kind == "ack":
        pairs = [tail[at:at + 16] for at in range(0, len(tail), 16)]
        return {"ranges": [[int.from_bytes(pair[:8], "little"), int.from_bytes(pair[8:], "little")]
                           for pair in pairs]}
    if kind == "subject":
        return {"subject": text(tail)}
    if kind == "go_away":
        return {"endpoint": text(tail)}
    return {}


def hex_of(frame):
    """Rows of hexadecimal digits, and the length if the zeros at the end are left out."""
    shown = frame.rstrip(b"\0")
    if len(frame) - len(shown) <= ZEROS_SHOWN_MAX:
        shown = frame
    rows = [shown[at:at + ROW_BYTES].hex() for at in range(0, len(shown), ROW_BYTES)]
    return {"hex": rows} | ({} if shown == frame else {"zeros_up_to": len(frame)})


def good_vector(kind, name, given):
    if kind not in UNCONNECTED:
        given = {"connection": CONNECTION} | given
    frame = encode(kind, **given)
    _, header, fields, tail, packet = decode(frame)
    fields = {key: value.hex() if isinstance(value, bytes) else value
              for key, value in fields.items() if not key.startswith("reserved")}
    vector = {"name": name, "from": FRAMES[kind][1], "length": header["length"],
              "connection": header["connection"]}
    vector["fields"] = fields | tail_of(kind, fields, tail)
    if kind == "open":
        index = [one for one, _ in GOOD["open"]].index(name)
        vector["acceptable"] = index <= [one for one, _ in GOOD["open"]].index("last_sequence")
    if packet is not None:
        vector["seal"] = {"key": given["seal"][0].hex(), "packet": packet, "tag": frame[-16:].hex()}
    return vector | hex_of(frame)


def key_vectors():
    sessions = [(b"", b"db7/orders"), (b"orders", b"db7/orders"), (b"ordersdb7", b"/orders"),
                (b"k" * 64, bytes(range(64)))]
    return {
        "keys": [{"producer_key": KEY.hex(), "nonce": NONCE.hex(), "cookie": COOKIE.hex(),
                  "node_nonce": NODE_NONCE.hex(), "open_key": OPEN_KEY.hex(),
                  "producer_frames_key": PRODUCER_KEY.hex(), "node_frames_key": NODE_KEY.hex()}],
        "sessions": [{"key_name": text(key), "session_name": name.hex(),
                      "session": session_number(key, name)} for key, name in sessions]}


def bad_vectors(vectors):
    return {"vectors": [{"name": name, "from": sender, "fault": fault} | hex_of(frame)
                        for name, sender, fault, frame in vectors]}


def files():
    """What the folder holds: text by name of the file."""
    content = {kind: {"frame": kind, "vectors": [good_vector(kind, name, given)
                                                 for name, given in vectors]}
               for kind, vectors in GOOD.items()}
    good = {kind: encode(kind, **({} if kind in UNCONNECTED else {"connection": CONNECTION})
                         | vectors[0][1]) for kind, vectors in GOOD.items()}
    sealed = encode("close", CONNECTION, next=1, seal=(PRODUCER_KEY, 1))
    content["frame_faults"] = bad_vectors(pdp_bad_frames.frames(good, sealed))
    content["run_faults"] = bad_vectors(pdp_bad_frames.runs(CONNECTION))
    content["keys"] = key_vectors()
    return {f"{name}.json": json.dumps(value, indent=1) + "\n" for name, value in content.items()}


def main():
    for name, content in files().items():
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(content)


if __name__ == "__main__":
    main()
