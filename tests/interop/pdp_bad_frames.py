"""Frames that are wrong in one thing each, and by which name docs/pdp.md has that counted."""

import struct

from tests.interop.pdp_frames import FRAMES, LEAST, encode, message, ranges

END = 1 << 62


def put(frame, at, layout, value):
    """The frame with another value at a place."""
    data = struct.pack(layout, value)
    return frame[:at] + data + frame[at + len(data):]


def resized(frame, length):
    """Cut or filled up with zeros, and its header says so."""
    return put((frame + bytes(length))[:length], 6, "<H", length)


def field_at(kind, field):
    """(offset, struct letter) of a field of the fixed part."""
    _, _, layout, names = FRAMES[kind]
    letters = layout[1:].replace("16s", "s")
    index = names.split().index(field)
    before = "<" + letters[:index].replace("s", "16s")
    return 16 + struct.calcsize(before), "<" + letters[index]


# type, field, value that it may not have, cause
FIELDS = [
    ("cookie", "shards", 0, "bad_field"), ("cookie", "shard", 4, "bad_field"),
    ("open", "reserved", 1, "bad_field"), ("open", "key_bytes", 1, "bad_length"),
    ("open", "name_bytes", 11, "bad_length"), ("open", "name_bytes", 0, "bad_length"),
    ("accept", "session", 0, "bad_field"), ("accept", "next", 899, "bad_field"),
    ("accept", "next", 66537, "bad_field"), ("accept", "limit", END + 1, "bad_field"),
    ("accept", "frame_bytes_max", 1231, "bad_field"), ("accept", "lost", 1001, "bad_field"),
    ("accept", "frame_bytes_max", 8973, "bad_field"), ("accept", "shard", 1, "bad_field"),
    ("accept", "shards", 0, "bad_field"), ("accept", "reserved0", 1, "bad_field"),
    ("accept", "reserved1", 1 << 63, "bad_field"),
    ("refuse", "reason", 0, "bad_field"), ("refuse", "reason", 6, "bad_field"),
    ("refuse", "reserved", 1, "bad_field"),
    ("data", "message_count", 0, "bad_field"), ("data", "sequence", END, "bad_field"),
    ("skip", "message_count", 0, "bad_field"), ("skip", "sequence", END, "bad_field"),
    ("skip", "sequence", (1 << 64) - 1, "bad_field"),
    ("ack", "received", 2001, "bad_field"), ("ack", "written", 1001, "bad_field"),
    ("ack", "durable", 901, "bad_field"), ("ack", "limit", 999, "bad_field"),
    ("ack", "limit", END + 1, "bad_field"), ("ack", "lost", 1001, "bad_field"),
    ("ack", "probe_bytes", 31, "bad_field"), ("ack", "probe_bytes", 8973, "bad_field"),
    ("ack", "state", 5, "bad_field"), ("ack", "reserved", 1 << 32, "bad_field"),
    ("ack", "range_count", 1, "bad_length"), ("ack", "range_count", 33, "bad_field"),
    ("reject", "reason", 0, "bad_field"), ("reject", "reason", 5, "bad_field"),
    ("reject", "reserved", 256, "bad_field"), ("reject", "message_count", 0, "bad_field"),
    ("reject", "sequence", END, "bad_field"),
    ("subject", "reserved", 1, "bad_field"), ("subject", "subject_bytes", 0, "bad_length"),
    ("subject", "subject_bytes", 2, "bad_length"),
    ("capture", "reason", 5, "bad_field"),
    ("close", "next", END + 1, "bad_field"), ("close", "reserved", 1, "bad_field"),
    ("closed", "durable", 5001, "bad_field"), ("closed", "lost", 5001, "bad_field"),
    ("closed", "received", END + 1, "bad_field"),
    ("go_away", "reason", 0, "bad_field"), ("go_away", "reason", 3, "bad_field"),
    ("go_away", "endpoint_bytes", 1, "bad_length"),
    ("reset", "reserved", 1, "bad_field"),
]


def of_fields(good):
    for kind, field, value, fault in FIELDS:
        at, letter = field_at(kind, field)
        yield f"{kind}_{field}_{value}", FRAMES[kind][1], fault, put(good[kind], at, letter, value)


def of_headers(good):
    ping = good["ping"]
    for name, at, layout, value, fault in (
            ("magic", 0, "<H", 0x4451, "bad_magic"), ("version", 2, "B", 2, "bad_magic"),
            ("type_0", 3, "B", 0, "bad_type"), ("type_19", 3, "B", 19, "bad_type"),
            ("type_255", 3, "B", 255, "bad_type"), ("flag_2", 4, "<H", 2, "bad_field"),
            ("flag_32768", 4, "<H", 0x8000, "bad_field"),
            ("length_less", 6, "<H", 31, "bad_length"), ("length_more", 6, "<H", 33, "bad_length")):
        yield name, "producer", fault, put(ping, at, layout, value)
    yield "nothing", "producer", "truncated", b""
    yield "half_a_header", "node", "truncated", ping[:8]
    yield "header_only", "producer", "truncated", resized(ping, 16)
    yield "too_long", "producer", "bad_length", resized(ping, 8973)
    yield "padding_of_ping", "producer", "bad_field", put(ping, 31, "B", 1)
    yield "padding_of_ping_behind_sent_us", "producer", "bad_field", put(ping, 20, "B", 1)
    hello = good["hello"]
    yield "padding_of_hello", "producer", "bad_field", put(hello, 1199, "B", 1)
    yield "padding_of_hello_behind_sent_us", "producer", "bad_field", put(hello, 36, "B", 128)
    for kind, frame in good.items():
        sender = FRAMES[kind][1]
        other = "node" if sender == "producer" else "producer"
        yield f"{kind}_of_the_other_end", other, "bad_type", frame
        connection = int(frame[8:16] == bytes(8))
        yield f"{kind}_connection", sender, "bad_field", put(frame, 8, "<Q", connection)


def of_lengths(good):
    exact = ("cookie", "accept", "refuse", "skip", "reject", "capture", "close", "closed",
             "challenge", "response", "reset")
    for kind, frame in good.items():
        sender, least = FRAMES[kind][1], 16 + struct.calcsize(FRAMES[kind][2])
        if least > 24:
            least = max(least, LEAST.get(kind, 0))
            yield f"{kind}_short", sender, "truncated", resized(frame, least - 1)
        if kind in exact:
            yield f"{kind}_long", sender, "bad_length", resized(frame, len(frame) + 8)
    yield "hello_of_the_least_but_one", "producer", "truncated", resized(good["hello"], 1199)
    yield "ping_of_the_least_but_one", "producer", "truncated", resized(good["ping"], 31)
    yield "data_without_messages", "producer", "truncated", resized(good["data"], 32)
    yield "go_away_byte_more", "node", "bad_length", resized(good["go_away"], 25)
    yield "subject_too_long", "producer", "bad_field", encode(
        "subject", 1, tail=b"s" * 1025, subject_bytes=1025)
    yield "subject_empty", "producer", "bad_field", encode("subject", 1)
    yield "endpoint_too_long", "node", "bad_field", encode(
        "go_away", 1, tail=b"h" * 257, endpoint_bytes=257, reason=1)


def of_ranges():
    for name, pairs in (("over_received", [(999, 1002)]), ("before_received", [(1, 2)]),
                        ("empty", [(1001, 1001)]), ("backwards", [(1005, 1003)]),
                        ("touching", [(1001, 1003), (1003, 1004)]),
                        ("overlapping", [(1001, 1005), (1004, 1006)]),
                        ("not_ascending", [(1010, 1011), (1001, 1002)]),
                        ("beyond_sequences", [(1001, END + 1)])):
        yield f"ranges_{name}", "node", "bad_field", encode(
            "ack", 1, tail=ranges(pairs), range_count=len(pairs), received=1000, limit=2000)
    yield "ranges_33", "node", "bad_field", encode(
        "ack", 1, tail=ranges([(2 * i, 2 * i + 1) for i in range(1, 34)]), range_count=33)


def of_seals(good, sealed):
    for kind in ("hello", "cookie", "refuse", "reset"):
        frame = put(resized(good[kind], len(good[kind]) + 24), 4, "<H", 1)
        yield f"{kind}_sealed", FRAMES[kind][1], "bad_field", frame
    yield "packet_0", "producer", "bad_field", put(sealed, 32, "<Q", 0)
    yield "trailer_cut", "producer", "truncated", resized(sealed, len(sealed) - 1)
    yield "trailer_of_nothing", "producer", "truncated", put(good["response"], 4, "<H", 1)
    opened = put(resized(good["open"], len(good["open"]) + 24), 4, "<H", 1)
    yield "packet_1_of_open", "producer", "bad_field", put(opened, len(opened) - 24, "<Q", 1)


def frames(good, sealed):
    """(name, sender, cause, frame); `good` is a frame of each type, `sealed` a CLOSE."""
    yield from of_headers(good)
    yield from of_lengths(good)
    yield from of_fields(good)
    yield from of_ranges()
    yield from of_seals(good, sealed)


def runs(connection):
    """The same of messages in DATA frames that are right otherwise."""
    first, second = message(b"payload 1", b"a.b"), message(b"payload 2")
    headers = message(b"", b"a.b", headers=[(b"name", b"value")])
    start = headers.index(struct.pack("<H", 4) + b"name")
    for name, fault, count, tail in (
            ("payload_too_long", "bad_length", 2, first + message(b"payload 2", payload_length=17)),
            ("payload_of_4_gib", "bad_length", 2, first + message(payload_length=0xFFFFFFFF)),
            ("lengths_of_all", "bad_length", 1, message(
                b"x", b"a.b", payload_length=0xFFFFFFFF, key_length=0xFFFF)),
            ("key_too_long", "bad_length", 2, first + message(b"12345678", key_length=9)),
            ("headers_too_long", "bad_length", 1, message(b"", b"a.b", headers_length=0xFFFF)),
            ("half_a_header", "bad_length", 2, first + second[:8]),
            ("bytes_behind", "bad_length", 1, first + bytes(1)),
            ("cut", "bad_length", 2, first + second[:-8]),
            ("no_subject", "bad_subject", 2, second + second),
            ("subject_twice", "bad_subject", 2, first + first),
            ("subject_of_1025", "bad_subject", 1, message(b"x", b"s" * 1025)),
            ("time", "bad_field", 2, first + message(b"x", time_delta_ns=1)),
            ("time_of_the_first", "bad_field", 1, message(b"x", b"a.b", time_delta_ns=1 << 31)),
            ("flag", "bad_field", 2, first + message(b"x", flags=1)),
            ("unknown_flag", "bad_field", 1, message(b"x", b"a.b", flags=0x8000)),
            ("header_name_too_long", "bad_headers", 1, put(headers, start, "<H", 10)),
            ("header_name_of_all", "bad_headers", 1, put(headers, start, "<H", 0xFFFF)),
            ("header_value_too_long", "bad_headers", 1, put(headers, start + 6, "<I", 6)),
            ("header_value_too_short", "bad_headers", 1, put(headers, start + 6, "<I", 4)),
            ("header_value_of_4_gib", "bad_headers", 1, put(headers, start + 6, "<I", 0xFFFFFFFF)),
            ("headers_of_one_byte", "bad_headers", 2, first + message(b"xy", headers_length=1)),
            ("padding_of_the_first", "bad_padding", 2, put(first, 31, "B", 1) + second),
            ("padding_of_the_last", "bad_padding", 2, first + put(second, 25, "B", 0x80)),
            ("padding_in_a_streak", "bad_padding", 4,
             first + second + put(second, 31, "B", 1) + second),
            ("one_more", "bad_count", 1, first + second),
            ("one_less", "bad_count", 3, first + second),
            ("many_less", "bad_count", 0xFFFFFFFF, first)):
        yield name, "producer", fault, encode("data", connection, tail, message_count=count)
