"""The package: the same bytes wherever it is built, nothing in it that the functions do not need, and it runs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from homing import __version__
from homing.core.errors import InvalidInput, Refused
from homing.stack.bytecode import compile_all
from homing.stack.package import CONTENT, MAX_BYTES, Package, build_package, parse_runtime, write_zip

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = sys.version_info[:2]
RUNTIME = f"python{HERE[0]}.{HERE[1]}"
"""That of the interpreter that runs the tests, so that no other one is needed."""
PACKAGE = Path(__file__).parents[2] / "src" / "homing"


@pytest.fixture(scope="module")
def package() -> Package:
    return build_package(RUNTIME)


@pytest.fixture(scope="module")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("var") / "task"
    with zipfile.ZipFile(io.BytesIO(package.data)) as archive:
        archive.extractall(folder)
    return folder


def entries(package: Package) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(package.data)).infolist()


# --- the same bytes


def test_two_builds_in_other_circumstances_have_the_same_hash(package: Package, tmp_path: Path) -> None:
    told = []
    for number, (seed, zone, mask) in enumerate([("1", "Asia/Tokyo", 0o077), ("2", "America/Lima", 0o000)]):
        folder = tmp_path / f"builder {number}"
        folder.mkdir()
        copy = folder / "src" / "homing"
        copy.parent.mkdir()
        subprocess.run(["cp", "-r", "--no-preserve=all", str(PACKAGE), str(copy)], check=True)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "HOME": str(folder), "PYTHONPATH": "src"}
        environment |= {"USER": f"user{number}", "LC_ALL": "C", "COLUMNS": seed}
        command = [sys.executable, "-m", "homing", "aws", "package", "--runtime", RUNTIME, "--json"]
        done = subprocess.run(
            command, cwd=folder, env=environment, umask=mask, capture_output=True, text=True, check=True, timeout=60
        )
        built = json.loads(done.stdout)
        data = (folder / built["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == built["sha256"]
        told.append(built)
    assert told[0] == told[1]
    assert told[0]["sha256"] == package.sha256


def test_the_zip_holds_no_time_no_owner_and_no_order_of_its_own(package: Package) -> None:
    found = entries(package)
    assert [one.filename for one in found] == sorted(one.filename for one in found)
    assert {one.date_time for one in found} == {(1980, 1, 1, 0, 0, 0)}
    assert {one.external_attr >> 16 for one in found} == {0o100644}
    assert {(one.create_system, one.extra, one.comment) for one in found} == {(3, b"", b"")}
    assert not [one for one in found if one.is_dir()]


def test_the_order_in_which_files_are_found_does_not_matter() -> None:
    assert write_zip({"a": b"1", "b": b"2"}) == write_zip({"b": b"2", "a": b"1"})


def test_the_hash_is_shown_as_sha256sum_and_as_lambda_show_it(package: Package) -> None:
    assert package.sha256 == hashlib.sha256(package.data).hexdigest()
    assert base64.b64decode(package.code_sha256).hex() == package.sha256


# --- what is in it


def test_the_package_is_small(package: Package) -> None:
    assert len(package.data) < MAX_BYTES


def test_nothing_is_in_it_but_the_functions_and_what_they_import(package: Package) -> None:
    names = {one.filename for one in entries(package)}
    tops = {name.partition("/")[0] for name in names}
    entry = {f"homing_{one}.py" for one in ("update", "publish", "admin")}
    assert tops == {"homing", "idna", "__pycache__", CONTENT, *entry}
    unwanted = ("cli/", "client/", "stack/", "formats/", "sqlite", "embedded", "one_machine", "runtimes/http_", "dns_")
    assert not [name for name in names if any(word in name for word in unwanted) and name.startswith("homing/")]
    assert {name for name in names if not name.endswith((".py", ".pyc"))} <= {
        CONTENT, "homing/aws/amazon_roots.pem", "idna/LICENSE",
    }  # fmt: skip
    assert "homing/aws/amazon_roots.pem" in names


def test_a_file_tells_what_is_in_it(unpacked: Path) -> None:
    told = json.loads((unpacked / CONTENT).read_text())
    assert (told["homing"], told["runtime"], told["bytecode"]) == (__version__, RUNTIME, True)


def test_every_source_has_bytecode_that_is_never_compared_with_it(unpacked: Path) -> None:
    for source in unpacked.rglob("*.py"):
        (compiled,) = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")
        flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
        assert flags == 0b01, source  # PEP 552: a hash, not checked


def test_bytecode_knows_only_the_paths_of_lambda(unpacked: Path) -> None:
    import marshal

    for compiled in unpacked.rglob("*.pyc"):
        code = marshal.loads(compiled.read_bytes()[16:])
        source = compiled.parent.parent / (compiled.name.partition(".")[0] + ".py")
        wanted = f"/var/task/{source.relative_to(unpacked)}"
        assert {one.co_filename for one in all_code(code)} == {wanted}


def all_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from all_code(one)


# --- it runs

_IMPORT = """
import sys
sys.path[:] = [{task!r}, *(one for one in sys.path if "site-packages" not in one)]
import homing.runtimes.aws_lambda.{function} as entry
from homing.core.names import parse_name
assert callable(entry.make_handler)
assert parse_name("käse.example") == "xn--kse-qla.example."  # idna is there for who needs it
loaded = {{one.partition(".")[0] for one in sys.modules}}
assert not loaded & {{"boto3", "botocore", "starlette", "uvicorn", "sqlite3", "click", "dns", "asyncio"}}, loaded
assert entry.__file__.startswith({task!r}) and entry.__cached__.endswith(".pyc")
print(entry.__spec__.loader.path_stats and "ok")
"""


@pytest.mark.parametrize("function", ["update", "publish", "admin"])
def test_a_fresh_interpreter_imports_each_function_from_the_package_alone(unpacked: Path, function: str) -> None:
    code = _IMPORT.format(task=str(unpacked), function=function)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


@pytest.mark.parametrize("function", ["update", "publish", "admin"])
def test_the_handler_is_where_the_template_says(unpacked: Path, function: str) -> None:
    text = (unpacked / f"homing_{function}.py").read_text()
    assert text == f"from homing.runtimes.aws_lambda.{function} import make_handler\n\nhandler = make_handler()\n"


# --- the interpreter


def test_without_a_python_of_that_version_it_says_what_to_do() -> None:
    with pytest.raises(Refused, match=r"no Python 3\.99 here .* HOMING_PYTHON, .* --no-bytecode"):
        build_package("python3.99", environment={"PATH": ""})


def test_without_bytecode_any_python_builds_it() -> None:
    built = build_package("python3.99", bytecode=False, environment={"PATH": ""})
    assert not [one for one in entries(built) if one.filename.endswith(".pyc")]
    assert not built.has_bytecode


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 127\n", "#!/bin/sh\necho surprise\n", "not a program"])
def test_what_is_no_python_of_that_version_is_passed_over(tmp_path: Path, text: str) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text(text)
    shim.chmod(0o755)
    environment = {"HOMING_PYTHON": str(shim), "PATH": str(tmp_path)}
    with pytest.raises(Refused, match=r"no Python 3\.99"):
        compile_all({"a.py": "1"}, (3, 99), "/var/task/", environment)
    assert compile_all({"a.py": "1"}, HERE, "/var/task/", environment)


def test_the_interpreter_that_is_named_is_the_one_that_compiles(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.write_text(f'#!/bin/sh\ntouch "{tmp_path}/used"\nexec "{sys.executable}" "$@"\n')
    named.chmod(0o755)
    compile_all({"a.py": "1"}, HERE, "/var/task/", {"HOMING_PYTHON": str(named)})
    assert (tmp_path / "used").exists()


@pytest.mark.parametrize("text", ["python3", "python2.7", "python3.10", "nodejs22.x", "python3.13\n", ""])
def test_what_is_no_runtime_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_runtime(text)
