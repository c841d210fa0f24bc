"""A warm process: answer some events without looking at the clock, and then the rest with it.

python -S -c "import repeat" MODULE EVENTS WARMING

Prints CPU seconds and wall seconds for one event, and the statuses that there were, on standard error.
"""

from __future__ import annotations

import json
import sys
import time

module, path, warming = sys.argv[1:]
handler = __import__(module).handler
with open(path) as file:
    events = json.load(file)
first, rest = events[: int(warming)], events[int(warming) :]
statuses = {handler(event, None)["statusCode"] for event in first}
wall, cpu = time.perf_counter(), time.process_time()
statuses |= {handler(event, None)["statusCode"] for event in rest}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
told = {"cpu": cpu / len(rest), "wall": wall / len(rest), "statuses": sorted(statuses)}
sys.stderr.write(json.dumps(told))
