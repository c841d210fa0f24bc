"""Run the benchmarks that are named, or all."""

from __future__ import annotations

import importlib
import sys

ALL = ("http", "dns", "latency", "scale")

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        print(f"\n== {name}    python -m bench {name}")
        importlib.import_module(f"bench.{name}").run()
