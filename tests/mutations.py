"""Mutations of bytes for the fuzz loop: the same for the same random numbers. No parser is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

LONGEST = 8192
"""Octets of one input: what one request may have in its head, or in its body."""

_WORDS = """
0 -1 00 +1 1_000 0o7 1e999 NaN 255 256 65536 2147483648 4294967296 18446744073709551616 1979-05-27T07:32:00Z
% %0 %00 %0a %zz %25 %2 %ff %C3%BC %ED%A0%80 %26 %3d + %2B & && = ; , ,, . .. : :: / // /0 /64 /129 [ ] { } ( # @ * ~ $
' " "" ''' \""" \\ \\u0000 \\ud800 \\x00 \\065 \\999 null true {} [] [[ [[[[[[[[ {"a": xn-- xn--a XN--ZCA
preserve YES ::ffff:0:0
"""
_CHARACTERS = "üß\u0130\u0131\u017f\u0661\u200d\u202e\ufeff\u3002\u05d0\u0301\U0001f600\r\n\t \x00\x0b\x1c\x7f"
_OCTETS = (
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\r\n", b"\x80", b"\x3f", b"\x40"),
    *(b"\xc0\x0c", b"\xc0\x00", b"\x00\x00\x29", b"\x00\xff", b"\xff\xff"),
)
_LONG = (b"9" * 400, b"9" * 5000, b"0x" + b"f" * 4000, b"1" + b"0" * 4500)
_TOKENS = [*(word.encode() for word in _WORDS.split()), *(one.encode() for one in _CHARACTERS), *_OCTETS, *_LONG]
_SEPARATORS = [b"&", b",", b"=", b" ", b"\n", b".", b":", b'"', b"/", b"{", b";"]


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds, changed one to six times; at most LONGEST octets."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = rng.choice(_MUTATORS)(rng, data, seeds)[:LONGEST]
    return data


def _flip(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_TOKENS) + data[at:]


def _replace(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.choice(_TOKENS) + data[end:]


def _delete(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 8, 64, 1000)) + data[end:]


def _splice(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _move_field(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    separator = rng.choice(_SEPARATORS)
    fields = data.split(separator)
    one, other = rng.randrange(len(fields)), rng.randrange(len(fields))
    match rng.randrange(4):
        case 0:
            del fields[one]
        case 1:
            fields.insert(other, fields[one])
        case 2:
            fields[one], fields[other] = fields[other], fields[one]
        case _:
            fields[one] = rng.choice(_TOKENS)
    return separator.join(fields)


def _recode(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Percent-encode, change the case, or take every octet for a character of its own."""
    start, end = _span(rng, data)
    part = data[start:end]
    match rng.randrange(4):
        case 0:
            part = "".join(f"%{octet:02x}" for octet in part).encode()
        case 1:
            part = quote(part, safe="").encode()
        case 2:
            part = part.swapcase()
        case _:
            part = part.decode("latin-1").encode()
    return data[:start] + part + data[end:]


_MUTATORS = (
    *(_flip, _flip, _insert, _insert, _replace, _replace),
    *(_delete, _repeat, _splice, _move_field, _move_field, _recode),
)


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 8, 32, 256)))
