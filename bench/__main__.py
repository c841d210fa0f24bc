"""Run the benchmarks that are named, or all."""

from __future__ import annotations

import importlib
import sys

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
}
"""Names and their modules; those from `cold` on are of the serverless system."""

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        print(f"\n== {name}    python -m bench {name}", flush=True)
        importlib.import_module(f"bench.{ALL[name]}").run()
