"""Run the benchmarks that are named, or all; flags behind a name are its own."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = {
    "http": "http",
    "dns": "dns",
    "latency": "latency",
    "scale": "scale",
    "cold": "aws_cold",
    "warm": "aws_warm",
    "calls": "aws_calls",
    "backlog": "aws_backlog",
    "costs": "aws_costs",
    "agent": "agent",
    "lan": "lan",
    "oneshot": "oneshot",
}
"""Names and their modules; those from `cold` on are of the serverless system, those from `agent` on of the client."""


def chosen(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the names, each with the words behind it that are no names."""
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if found and word not in ALL:
            found[-1][1].append(word)
        elif word in ALL:
            found.append((word, []))
        else:
            sys.exit(f"there is no benchmark {word!r}; there is {', '.join(ALL)}")
    return found or [(name, []) for name in ALL]


if __name__ == "__main__":
    for name, flags in chosen(sys.argv[1:]):
        print(f"\n== {name}    python -m bench {' '.join([name, *flags])}", flush=True)
        importlib.import_module(f"bench.{ALL[name]}").run(*flags)
