"""`homing aws package` and `homing aws costs`: what can be known without an AWS account."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from homing.cli import aws_package
from homing.cli.aws import aws as command
from homing.core.errors import Refused
from homing.stack.package import Package

if TYPE_CHECKING:
    from click.testing import Result


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aws_package, "build_package", lambda runtime, bytecode: Package(b"zip", runtime, 3, bytecode))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def test_the_package_is_written_and_told() -> None:
    told = json.loads(run("package", "--output", "x.zip", "--runtime", "python3.14", "--json").stdout)
    assert Path("x.zip").read_bytes() == b"zip"
    assert base64.b64decode(told.pop("code_sha256")).hex() == told.pop("sha256")
    assert told == {"path": "x.zip", "bytes": 3, "files": 3, "runtime": "python3.14", "bytecode": True}


def test_it_has_a_name_of_its_own_and_the_newest_settled_runtime() -> None:
    shown = run("package", "--no-bytecode").stdout
    assert Path("homing-aws.zip").exists()
    for words in ("python3.13", "homing-aws.zip", "bytecode     no"):
        assert words in shown


@pytest.mark.parametrize("runtime", ["python2.7", "3.13", "python3.9"])
def test_a_runtime_that_is_none_is_wrong_usage(runtime: str) -> None:
    assert run("package", "--runtime", runtime).exit_code == 2


def test_costs_are_shown_line_by_line_beside_the_other_design() -> None:
    shown = run("costs", "--hosts", "10000").stdout
    assert "       29.08  US dollars a month" in shown
    assert "86,400,000 polls x 1 consistent" in shown
    assert "$928.93" in shown


def test_costs_as_json_have_one_shape() -> None:
    told = json.loads(run("costs", "--hosts", "1000000", "--endpoint", "restApi", "--mode", "stream", "--json").stdout)
    assert set(told) == {"dollars_a_month", "items", "prices", "awslabs_dollars_a_month"}
    assert set(told["items"][0]) == {"name", "dollars", "arithmetic", "source"}
    assert told["awslabs_dollars_a_month"] == pytest.approx(77_400, rel=0.01)


@pytest.mark.parametrize("arguments", [(), ("--hosts", "0"), ("--hosts", "1", "--poll-minutes", "0")])
def test_wrong_numbers_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run("costs", *arguments).exit_code == 2


def test_without_a_python_of_the_runtime_there_is_a_package_and_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(runtime: str, *, bytecode: bool) -> Package:
        if bytecode:
            raise Refused("there is no Python 3.13 here")
        return Package(b"zip", runtime, 3, bytecode)

    monkeypatch.setattr(aws_package, "build_package", build)
    done = run("package")
    assert (done.exit_code, "bytecode     no" in done.stdout) == (0, True)
    assert "there is no Python 3.13 here" in done.stderr
    with pytest.raises(Refused):
        run("package", "--bytecode")
