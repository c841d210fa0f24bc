"""The server's settings: each problem is told with the file and the line in which it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.errors import InvalidSettings
from homing.settings.one_machine import load

if TYPE_CHECKING:
    from pathlib import Path

ZONES = '[[zones]]\nname = "a.test"\n\n[[zones]]\nname = "b.test"\n'


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        ("x = 1\n", ["1: x: no such setting"]),
        ("\nmin_ttl = 'soon'\n", ["2: min_ttl: expected a whole number from 1 to 86400, not 'soon'"]),
        (ZONES + "odd = 1\nttl = 'soon'\n", ["6: zone b.test: odd: no such setting; there", "7: zone b.test: ttl: "]),
        (ZONES + "[[zones]]\nid = 'x'\n", ["6: zone without a name: name is missing"]),
        (ZONES + "[[zones]]\nname = 'A.test'\n", ["6: zones: the name a.test. ", "6: zones: the id a.test "]),
        ("zones = [\n'a.test',\n'b.test',\n'a.test']\n", ["4: zones: the name", "4: zones: the id"]),
        ("log_level = 'info'\ntls_key = 'x'\n", ["2: tls_cert and tls_key are given together or not at all"]),
        ("\nhttps_listen = ['[::1]:443']\n", ["2: https_listen needs tls_cert and tls_key"]),
        ("max_ttl = 40\n", ["1: default_ttl does not lie between min_ttl and max_ttl"]),
        ("\napi_key_file = 'none'\n", ["2: api_key_file: none: cannot be read: No such file"]),
        ("api_key_file = 5\n", ["1: api_key_file: expected a path"]),
        ("\n\n[client]\n[agent]\n[lan]\n[lam]\n", ["6: lam: no such setting"]),
    ],
)  # fmt: skip
def test_each_problem_has_its_line(tmp_path: Path, toml: str, wanted: list[str]) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(toml)
    with pytest.raises(InvalidSettings) as caught:
        load({}, {}, file)
    assert len(caught.value.problems) == len(wanted), caught.value.problems
    for problem, words in zip(sorted(caught.value.problems), sorted(wanted), strict=True):
        assert problem.startswith(f"{file}:{words}")


def test_what_does_not_stand_in_the_file_is_told_by_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text("min_ttl = 60\n")
    with pytest.raises(InvalidSettings) as caught:
        load({}, {"HOMING_DEFAULT_TTL": "50"}, file)
    assert caught.value.problems == ("HOMING_DEFAULT_TTL: default_ttl does not lie between min_ttl and max_ttl",)
    with pytest.raises(InvalidSettings) as caught:
        load({"zones": ("a..b",)}, {"HOMING_MIN_TTL": "x"}, file)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["--zone", "HOMING_MIN_TTL"]


# --- secrets


@pytest.mark.parametrize("name", ["api_key", "token_key"])
@pytest.mark.parametrize("text", ["", "\n", " \t\n"])
def test_a_secret_file_that_is_empty_is_a_problem_and_never_no_secret(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "key").write_text(text)
    (tmp_path / "homing.toml").write_text(f"{name}_file = '{tmp_path / 'key'}'\n")
    words = f"{tmp_path / 'key'}: expected a secret in one line"
    for environment, file, place in (
        ({}, tmp_path / "homing.toml", f"{tmp_path / 'homing.toml'}:1: {name}_file"),
        ({f"HOMING_{name.upper()}_FILE": str(tmp_path / "key")}, None, f"HOMING_{name.upper()}_FILE"),
    ):
        with pytest.raises(InvalidSettings) as caught:
            load({}, environment | {"HOMING_CONFIG": "/dev/null"} if file is None else environment, file)
        assert caught.value.problems == (f"{place}: {words}",)


@pytest.mark.parametrize("name", ["api_key", "token_key"])
def test_an_empty_variable_does_not_open_what_the_file_has_closed(tmp_path: Path, name: str) -> None:
    file, variable = tmp_path / "homing.toml", f"HOMING_{name.upper()}"
    file.write_text(f"{name} = 's3cret'\n")
    loaded = load({}, {variable: "", variable + "_FILE": ""}, file)
    assert (getattr(loaded.settings, name), loaded.origins[name]) == ("s3cret", f"{file}:1")
    for toml, environment in ((f"{name} = ''", {}), ("", {variable: " "}), (f"{name} = ' '", {})):
        file.write_text(toml)
        with pytest.raises(InvalidSettings, match="expected a text"):
            load({}, environment, file)
    file.write_text("")
    assert getattr(load({}, {variable: ""}, file).settings, name) is None


def test_an_empty_variable_sets_to_nothing_what_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text("http_listen = ['127.0.0.1:80']\n")
    assert load({}, {"HOMING_HTTP_LISTEN": ""}, file).settings.http_listen == ()


def test_a_secret_that_others_may_read_is_told(tmp_path: Path) -> None:
    file, key = tmp_path / "homing.toml", tmp_path / "key"
    key.write_text("s3cret\n")
    for name in (file, key):
        file.write_text("api_key = 's3cret'\n" if name is file else f"api_key_file = '{key}'\n")
        for mode, count in ((0o644, 1), (0o640, 0)):
            file.chmod(0o600)
            key.chmod(0o600)
            name.chmod(mode)
            loaded = load({}, {}, file)
            assert loaded.settings.api_key == "s3cret"
            expected = [f"{name} holds a secret and may be read by others: chmod o= {name}"] * count
            assert [*loaded.warnings] == expected
    file.write_text("min_ttl = 30\n")
    file.chmod(0o644)
    assert load({}, {}, file).warnings == (), "there is no secret in it"


def test_each_setting_knows_the_line_that_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text('min_ttl = 60\n"max_ttl" = 90\n' + ZONES)
    found = load({}, {"HOMING_STOP_TIMEOUT": "3"}, file).origins
    assert [found[name] for name in ("min_ttl", "max_ttl", "zones", "stop_timeout", "database")] == [
        f"{file}:1", f"{file}:2", f"{file}:3", "HOMING_STOP_TIMEOUT", "default",
    ]  # fmt: skip
