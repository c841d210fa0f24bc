"""Domain names as Route 53 takes, keeps, shows and sorts them (Developer Guide, "DNS domain name format").

A name here is always in the shown form: lower case, escape codes for everything but a-z, 0-9, hyphen, underscore and
the dots between labels, and a final dot. Knows nothing of zones and records.
"""

from __future__ import annotations

import re

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_ESCAPE = re.compile(r"[0-3][0-7]{2}")
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,100}")
MAX_LABEL = 63
MAX_NAME = 255


class BadName(ValueError):
    """Not a domain name; `problem` is the word that AWS uses for what is wrong with it."""

    def __init__(self, problem: str, explanation: str) -> None:
        super().__init__(f"{problem} ({explanation})")
        self.problem = problem
        self.explanation = explanation


def parse_name(text: str) -> str:
    """The shown form of a name as a caller wrote it, with or without the final dot; raises BadName."""
    if _HOST.fullmatch(text) and len(text) <= MAX_NAME:  # most names are in the shown form already
        return text
    labels = _labels(text)
    if sum(len(label) + 1 for label in labels) > MAX_NAME:
        raise BadName("DomainNameTooLong", "Domain name is too long")
    return "".join(_shown(label) + "." for label in labels)


def _labels(text: str) -> list[bytes]:
    body = text.removesuffix(".")
    labels, label, position = [], bytearray(), 0
    while position < len(body):
        if body[position] == ".":
            labels.append(_checked(bytes(label)))
            label = bytearray()
            position += 1
        else:
            octet, position = _octet(body, position)
            label.append(octet)
    return [*labels, _checked(bytes(label))]


def _octet(text: str, position: int) -> tuple[int, int]:
    """One character, written plainly or as an escape code, and where the next one begins."""
    if text[position] == "\\":
        if not (code := _ESCAPE.match(text, position + 1)):
            raise BadName("InvalidEscapeCode", "Escape codes are a backslash and three octal digits")
        return bytes([int(code[0], 8)]).lower()[0], code.end()
    if not 0o40 < ord(text[position]) < 0o177:
        raise BadName("UnsupportedCharacter", "Value contains unsupported characters")
    return ord(text[position].lower()), position + 1


def _checked(label: bytes) -> bytes:
    if not label:
        raise BadName("DomainLabelEmpty", "Domain label is empty")
    if len(label) > MAX_LABEL:
        raise BadName("DomainLabelTooLong", "Domain label is too long")
    return label


def _shown(label: bytes) -> str:
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:03o}" for octet in label)


def is_within(name: str, zone: str) -> bool:
    """Whether the name is the zone's apex or below it, by whole labels: xexample.com. is not within example.com."""
    return name == zone or name.endswith("." + zone)


def sort_key(name: str) -> str:
    """What ListResourceRecordSets sorts by: the labels reversed, with the trailing dot, in ASCII order.

    The dot counts: com.example.a-b. comes before com.example.a. (API reference, ListResourceRecordSets, "Sort order").
    """
    return ".".join(reversed(name[:-1].split("."))) + "."
