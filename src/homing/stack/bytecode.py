"""Bytecode for the Python that Lambda runs, made by an interpreter of the same minor version in a process of its own.

The process always starts from the same state, so that the same sources give the same bytes: neither the hash seed, nor
the locale, nor what this process has imported can show in them.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "HOMING_PYTHON"
"""Names the interpreter, where it is not on PATH."""

# An unchecked hash is never compared with the source, so that a cold start reads one file (PEP 552).
_COMPILER = r"""
import base64, importlib._bootstrap_external as external, importlib.util, json, sys
asked = json.loads(sys.stdin.buffer.read())
answer = {"version": list(sys.version_info[:2]), "name": sys.implementation.name, "tag": sys.implementation.cache_tag}
if asked["version"] == answer["version"] and answer["name"] == "cpython":
    answer["files"] = {}
    for path, text in sorted(asked["files"].items()):
        source = text.encode()
        code = compile(source, asked["prefix"] + path, "exec", dont_inherit=True, optimize=0)
        data = external._code_to_hash_pyc(code, importlib.util.source_hash(source), False)
        answer["files"][path] = base64.b64encode(data).decode()
sys.stdout.write(json.dumps(answer))
"""
_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYENV_ROOT")
"""What an interpreter, or a shim in front of it, may need to start; nothing else of the environment reaches it."""
_TIMEOUT = 120.0


def compile_all(
    sources: Mapping[str, str], version: tuple[int, int], prefix: str, environment: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """Return the bytecode files of `sources`, by the path that Python looks for them at.

    `prefix` is where the sources will lie; it is what a traceback shows. Raises Refused if there is no CPython of that
    version, or if a source does not compile.
    """
    asked = json.dumps({"version": version, "prefix": prefix, "files": dict(sources)}).encode()
    environment = os.environ if environment is None else environment
    for program in _candidates(version, environment):
        answer = _ask(program, asked, environment)
        if answer is not None and "files" in answer:
            return {
                _cached(path, answer["tag"]): base64.b64decode(data) for path, data in sorted(answer["files"].items())
            }
    wanted = ".".join(map(str, version))
    raise Refused(
        f"there is no Python {wanted} here to make bytecode with: install it, or name it in {VARIABLE},"
        f" or choose another runtime with --runtime, or go without (a slower cold start) with --no-bytecode"
    )


def _candidates(version: tuple[int, int], environment: Mapping[str, str]) -> Iterator[str]:
    if named := environment.get(VARIABLE):
        yield named
    if sys.version_info[:2] == version:
        yield sys.executable
    found = shutil.which(f"python{version[0]}.{version[1]}", path=environment.get("PATH"))
    if found:
        yield found


def _ask(program: str, asked: bytes, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the answer, or None where the program is not a Python that can be asked."""
    kept = {name: environment[name] for name in _KEPT if name in environment}
    command = [program, "-B", "-s", "-S", "-P", "-c", _COMPILER]
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own interpreter
            command, input=asked, capture_output=True, timeout=_TIMEOUT, check=False, env=kept | {"PYTHONHASHSEED": "0"}
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return answer if isinstance(answer, dict) else None


def _cached(path: str, tag: str) -> str:
    """`homing/core/names.py` -> `homing/core/__pycache__/names.cpython-313.pyc` (PEP 3147)."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
