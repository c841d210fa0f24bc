"""What the tests of the house rules share: the modules of the package, and what each imports, read without running."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "homing"


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path

    @property
    def name(self) -> str:
        """`homing.core.names`; a package is named without its `__init__`."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def shown(self) -> str:
        """The path as people write it."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def source(self) -> str:
        """The text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The text, parsed."""
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> tuple[tuple[str, int], ...]:
        """Every module that is imported anywhere in the file, those for type checking included, with its line."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found += [(name, node.lineno) for name in _named(node)]
        return tuple(found)


def _named(node: ast.ImportFrom) -> list[str]:
    """`from homing.stores import sqlite` imports a module, `from homing.core.names import Name` does not."""
    module = node.module or ""
    if not module.startswith("homing"):
        return [module]
    folder = PACKAGE.parent.joinpath(*module.split("."))
    return [
        f"{module}.{alias.name}" if (folder / f"{alias.name}.py").exists() or (folder / alias.name).is_dir() else module
        for alias in node.names
    ]


MODULES = tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")))

_IMPORTER = r"""
import importlib, json, os, sys, threading

sys.path.insert(0, sys.argv[1])

def report(name):
    seen = []
    def hook(event, args):
        if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
            seen.append(f"opens {args[0]} to write")
        elif event.startswith(("socket.", "subprocess.", "sqlite3.connect", "os.mkdir", "os.remove", "os.system")):
            seen.append(event)
    sys.addaudithook(hook)
    before = threading.active_count()
    importlib.import_module(name)
    if threading.active_count() != before:
        seen.append("starts a thread")
    return {"did": seen, "roots": sorted({one.partition(".")[0] for one in sys.modules})}

for name in sys.argv[2:]:
    read, write = os.pipe()
    child = os.fork()  # a fresh interpreter for every module, without waiting for one to start
    if not child:
        for number in (1, 2):
            os.dup2(write, number)
        try:
            line = json.dumps(report(name))
        except BaseException as error:
            line = json.dumps({"did": [repr(error)], "roots": []})
        print("\x1e" + line, flush=True)
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as output:
        said, _, line = output.read().rpartition("\x1e")
    os.waitpid(child, 0)
    found = json.loads(line)
    if said:
        found["did"].append(f"prints {said!r}")
    print(json.dumps({"module": name} | found), flush=True)
"""


def import_each() -> dict[str, dict[str, Any]]:
    """Import every module on its own; tell by its name what that did, and which packages it drew in."""
    names = [module.name for module in MODULES]
    command = [sys.executable, "-I", "-B", "-W", "error", "-c", _IMPORTER, str(PACKAGE.parent), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    return {found["module"]: found for found in map(json.loads, done.stdout.splitlines())}
