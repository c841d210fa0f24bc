"""Which runs are under way: a file for each, written before anything is made and gone when nothing is left.

So that what an interrupted run left behind is found again. No secret is in it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from homing.core.errors import Refused
from real_aws.names import Run


def state_folder() -> Path:
    """Return where the files are (XDG Base Directory Specification: state that outlives a restart)."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "homing" / "e2e-aws"


def save(folder: Path, run: Run) -> Path:
    """Write a run down; the file is whole or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.name}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(run), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def forget(folder: Path, run: Run) -> None:
    """Nothing of the run is left."""
    (folder / f"{run.name}.json").unlink(missing_ok=True)


def load_all(folder: Path) -> list[Run]:
    """Return the runs that were not brought to an end, the oldest first. Raises Refused for a file that is damaged."""
    runs = []
    for path in folder.glob("*.json"):
        try:
            runs.append(Run(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise Refused(f"{path} cannot be read ({error}): look up what it names, and remove it") from None
    return sorted(runs, key=lambda run: run.begun)
