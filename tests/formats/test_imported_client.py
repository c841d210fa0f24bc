"""Whose configuration a text is; what the other half of `homing import` reads is never taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.formats.imported_client import recognise
from tests.formats.reading import SAMPLES

DDCLIENT = "# mine\ndaemon=300\nprotocol=dyndns2, \\\nlogin=bob, password='s' \\\nwww.example.com\n"
INADYN = "period = 300\nprovider default@dyndns.org:1 {\n  password=x\n}\n"
OLD_INADYN = "# old\nbackground\nusername bob\nalias www.example.com\n"


@pytest.mark.parametrize(
    ("text", "name", "client"),
    [
        (DDCLIENT, "x", "ddclient"),
        ("  use=web\n", "x", "ddclient"),
        (INADYN, "x", "inadyn"),
        (INADYN, "ddclient.conf", "inadyn"),
        ("custom home\n{\n}", "-", "inadyn"),
        (OLD_INADYN, "-", "inadyn"),
        ("", "ddclient.conf", "ddclient"),
        ("www.example.com", "my-ddclient.conf", "ddclient"),
        ("", "inadyn.conf", "inadyn"),
        ("\ufeff" + DDCLIENT, "x", "ddclient"),
        (DDCLIENT.replace("\n", "\r\n"), "x", "ddclient"),
        ("", "x", None),
        ("www.example.com", "hosts.conf", None),
        ("# use=web", "x", None),
        ("the server=x is here", "x", None),
        ('{"protocol=": 1}', "ddclient.conf", None),
        ("[]", "inadyn.conf", None),
        ("ddclient", "ddclient.json", None),
    ],
)
def test_a_clients_file_is_told_by_its_text_and_then_by_its_name(text: str, name: str, client: str | None) -> None:
    assert recognise(text, name) == client


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
@pytest.mark.parametrize("name", ["x", "ddclient.conf", "inadyn.conf"])
def test_a_table_of_a_server_is_no_clients_file_whatever_it_is_called(sample: str, name: str) -> None:
    assert recognise((SAMPLES / sample).read_text(encoding="utf-8"), name) is None


def test_a_program_that_assigns_conf_is_no_clients_file() -> None:
    program = "server=1\nuse=2\nconf = {'u:p': {'hosts': {}}}\n"
    assert recognise(program, "ddclient.conf") is None
    assert recognise(program.replace("conf = ", "other = "), "x") == "ddclient"


@given(st.text(max_size=80))
def test_any_text_has_an_answer(text: str) -> None:
    assert recognise(text, "x") in ("ddclient", "inadyn", None)
