"""The zip that Lambda runs: what its functions can import, and nothing else. The same sources give the same bytes.

Nothing of the machine or of the moment may enter it: no times, no owners, no paths, no order of a directory.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from homing import __version__
from homing.core.errors import InvalidInput, Refused
from homing.stack.bytecode import compile_all
from homing.stack.reach import find_reached

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIMES = ("python3.12", "python3.13", "python3.14")
"""What the template offers (docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html)."""
DEFAULT_RUNTIME = "python3.13"
FUNCTIONS = ("update", "publish", "admin")
MAX_BYTES = 1_000_000
CONTENT = "homing-package.json"
"""The file in the zip that tells what is in it."""

_ENTRY = "from homing.runtimes.aws_lambda.{} import make_handler\n\nhandler = make_handler()\n"
_HANDLERS = "homing.runtimes.aws_lambda."
_TASK_ROOT = "/var/task/"
"""Where Lambda unpacks the zip."""
_DATA = {"homing.aws": ("homing/aws/amazon_roots.pem",)}
"""Files that a package reads beside its modules."""
_RUNTIME = re.compile(r"python(3)\.([0-9]{1,2})")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644


@dataclass(frozen=True, slots=True)
class Package:
    """A zip for one runtime."""

    data: bytes = field(repr=False)
    runtime: str
    files: int
    has_bytecode: bool

    @property
    def sha256(self) -> str:
        """The hash as `sha256sum` shows it."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def code_sha256(self) -> str:
        """The hash as Lambda shows it, in `CodeSha256`."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()


def build_package(
    runtime: str = DEFAULT_RUNTIME, *, bytecode: bool = True, environment: Mapping[str, str] | None = None
) -> Package:
    """Build the zip. Raises Refused without an interpreter of that version, or when something is missing."""
    version = parse_runtime(runtime)
    files = collect_sources()
    if bytecode:
        texts = {path: data.decode("utf-8") for path, data in files.items() if path.endswith(".py")}
        files |= compile_all(texts, version, _TASK_ROOT, environment)
    files[CONTENT] = _content(runtime, bytecode=bytecode)
    data = write_zip(files)
    if len(data) >= MAX_BYTES:
        raise Refused(f"the package is {len(data)} bytes; it must stay under {MAX_BYTES}")
    return Package(data, runtime, len(files), bytecode)


def parse_runtime(text: str) -> tuple[int, int]:
    """Return the version of Python that a runtime's name says. Raises InvalidInput."""
    found = _RUNTIME.fullmatch(text)
    if not found or int(found[2]) < 11:
        raise InvalidInput(f"{text[:40]!r} is no runtime: {', '.join(RUNTIMES)}")
    return int(found[1]), int(found[2])


def collect_sources() -> dict[str, bytes]:
    """Return the sources and data files by their path in the zip, the three entry modules included."""
    roots = {"homing": Path(__file__).parents[1], "idna": _folder_of("idna")}
    reached = find_reached(roots, [_HANDLERS + name for name in FUNCTIONS], ())  # not even the boto3 of the runtime
    files = {_path_in_zip(name, path): path.read_bytes() for name, path in reached.items()}
    for package, data in _DATA.items():
        if package in reached:
            files |= {path: (roots["homing"].parent / path).read_bytes() for path in data}
    if "idna" in reached and (licence := _licence_of("idna")):
        files["idna/LICENSE"] = licence
    return files | {f"homing_{name}.py": _ENTRY.format(name).encode() for name in FUNCTIONS}


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """Write a zip whose bytes depend on nothing but the names and contents of its files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = 3  # Unix, on whichever system it is built
            entry.external_attr = _FILE_MODE << 16
            archive.writestr(entry, files[path], zipfile.ZIP_DEFLATED, 9)
    return whole.getvalue()


def _content(runtime: str, *, bytecode: bool) -> bytes:
    told = {
        "homing": __version__,
        "idna": importlib.metadata.version("idna"),
        "runtime": runtime,
        "bytecode": bytecode,
    }
    return (json.dumps(told, indent=2) + "\n").encode()


def _path_in_zip(name: str, path: Path) -> str:
    inner = name.replace(".", "/")
    return f"{inner}/__init__.py" if path.name == "__init__.py" else f"{inner}.py"


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0])


def _licence_of(package: str) -> bytes | None:
    """Return the text that whoever passes the package on has to pass on with it."""
    listed = importlib.metadata.files(package) or []
    found = sorted(one for one in listed if one.name.upper().startswith("LICENSE"))
    return Path(str(found[0].locate())).read_bytes() if found else None
