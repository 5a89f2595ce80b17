"""PDP's frames by docs/pdp.md alone: made and taken apart, with their seals, keys and numbers of
sessions. Nothing is checked but what is needed to find the parts."""

import hashlib
import hmac
import struct
from types import SimpleNamespace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC, VERSION, SEALED = 0x4450, 1, 1
HEADER = ("<HBBHHQ", "magic version type flags length connection")
TRAILER_BYTES, TAG_BYTES = 24, 16
MESSAGE = ("<IIHHHH", "payload_length time_delta_ns subject_length key_length headers_length flags")

# type: number, who sends it, layout behind the header
FRAMES = {
    "hello": (1, "producer", "<16sI", "nonce sent_us"),
    "cookie": (2, "node", "<16sQ16sIHHQ", "nonce issued_ns cookie echoed_us shard shards boot"),
    "open": (3, "producer", "<16sQ16sQQHHBBH", "nonce issued_ns cookie oldest next level "
             "frame_bytes_max key_bytes name_bytes reserved"),
    "accept": (4, "node", "<16s16sQQQQQIIHHHHQQ", "nonce node_nonce session boot next durable "
               "limit credit_bytes idle_ms frame_bytes_max shard shards reserved0 lost reserved1"),
    "refuse": (5, "node", "<16sHHI", "nonce reason reserved retry_ms"),
    "data": (6, "producer", "<QII", "sequence message_count sent_us"),
    "skip": (7, "producer", "<QII", "sequence message_count sent_us"),
    "ack": (8, "node", "<QQQQQIIIHBBQ", "received written durable limit lost credit_bytes "
            "echoed_us delay_us probe_bytes state range_count reserved"),
    "reject": (9, "node", "<QIHH", "sequence message_count reason reserved"),
    "subject": (10, "producer", "<IHH", "request subject_bytes reserved"),
    "capture": (11, "node", "<IHH", "request reason streams"),
    "ping": (12, "producer", "<I", "sent_us"),
    "close": (13, "producer", "<QQ", "next reserved"),
    "closed": (14, "node", "<QQQ", "received durable lost"),
    "go_away": (15, "node", "<HHI", "reason endpoint_bytes deadline_ms"),
    "challenge": (16, "node", "<Q", "token"),
    "response": (17, "producer", "<Q", "token"),
    "reset": (18, "node", "<QQ", "boot reserved"),
}
NUMBERS = {number: name for name, (number, *_) in FRAMES.items()}
LEAST = {"hello": 1200, "ping": 32}


def message(payload=b"", subject=b"", key=b"", headers=(), **wrong):
    """One message of a run; `wrong` are values of its header that are not as they should be."""
    encoded = b"".join(struct.pack("<H", len(name)) + name + struct.pack("<I", len(value)) + value
                       for name, value in headers)
    right = {"payload_length": len(payload), "time_delta_ns": 0, "subject_length": len(subject),
             "key_length": len(key), "headers_length": len(encoded), "flags": 0}
    head = struct.pack(MESSAGE[0], *(right | wrong).values())
    whole = head + subject + key + encoded + payload
    return whole + bytes(-len(whole) % 8)


def messages_of(run, count):
    """The parts of `count` messages laid out one after the other."""
    at, found = 0, []
    for _ in range(count):
        payload, _, subject, key, headers, _ = struct.unpack_from(MESSAGE[0], run, at)
        start, parts = at + 16, []
        for length in (subject, key, headers, payload):
            parts.append(run[start:start + length])
            start += length
        at = start + -start % 8
        found.append(SimpleNamespace(subject=parts[0], key=parts[1], payload=parts[3],
                                     headers=list(headers_of(parts[2]))))
    return found


def headers_of(encoded):
    while encoded:
        length, = struct.unpack_from("<H", encoded)
        name, encoded = encoded[2:2 + length], encoded[2 + length:]
        length, = struct.unpack_from("<I", encoded)
        yield name, encoded[4:4 + length]
        encoded = encoded[4 + length:]


def ranges(pairs):
    return b"".join(struct.pack("<QQ", first, end) for first, end in pairs)


def encode(kind, connection=0, tail=b"", length=0, seal=None, **fields):
    """A frame. `tail` stands behind the fixed part, zeros from there to `length` (without trailer),
    `seal` is (key, packet). Fields that are not given are 0."""
    number, _, layout, names = FRAMES[kind]
    values = {name: fields.pop(name, bytes(16) if name in ("nonce", "node_nonce", "cookie") else 0)
              for name in names.split()}
    if fields:
        raise ValueError(f"{kind} has no {', '.join(fields)}")
    body = struct.pack(layout, *values.values()) + tail
    body += bytes(max(0, (length or LEAST.get(kind, 0)) - 16 - len(body)))
    whole = 16 + len(body) + (TRAILER_BYTES if seal else 0)
    frame = struct.pack(HEADER[0], MAGIC, VERSION, number, SEALED if seal else 0, whole, connection)
    frame += body
    return sealed(frame, *seal) if seal else frame


def decode(frame):
    """(name, header, fields, tail, packet) of a frame that is one; packet is None without seal."""
    header = dict(zip(HEADER[1].split(), struct.unpack_from(HEADER[0], frame)))
    name = NUMBERS[header["type"]]
    _, _, layout, names = FRAMES[name]
    packet, end = None, len(frame)
    if header["flags"] & SEALED:
        end -= TRAILER_BYTES
        packet, = struct.unpack_from("<Q", frame, end)
    fields = dict(zip(names.split(), struct.unpack_from(layout, frame, 16)))
    return name, header, fields, frame[16 + struct.calcsize(layout):end], packet


def gmac(key, packet, data):
    return AESGCM(key).encrypt(struct.pack("<IQ", 0, packet), b"", data)


def sealed(frame, key, packet):
    """The frame, whose header counts the trailer already, with it."""
    data = frame + struct.pack("<Q", packet)
    return data + gmac(key, packet, data)


def seal_is_right(frame, key):
    packet, = struct.unpack_from("<Q", frame, len(frame) - TRAILER_BYTES)
    return gmac(key, packet, frame[:-TAG_BYTES]) == frame[-TAG_BYTES:]


def hkdf(key, salt, info):
    """RFC 5869 with SHA-256: the first 16 bytes."""
    extracted = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:16]


def open_key(key, nonce, cookie):
    return hkdf(key, nonce + cookie, b"pdp1 open")


def producer_frames_key(key, nonce, cookie, node_nonce):
    return hkdf(key, nonce + cookie + node_nonce, b"pdp1 producer")


def node_frames_key(key, nonce, cookie, node_nonce):
    return hkdf(key, nonce + cookie + node_nonce, b"pdp1 node")


def session_number(key_name, session_name):
    said = b"penstock session" + bytes([len(key_name)]) + key_name + session_name
    return struct.unpack("<Q", hashlib.sha256(said).digest()[:8])[0] or 1
