"""DynDNS53 and the SAM server: accounts with passwords that people chose, and hosts that get a secret of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.credentials import verify_password
from homing.core.errors import InvalidInput
from tests.formats.reading import ZONE, accounts, hosts, sample, taken

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = {"a.example.com.": {"record": {"ttl": 60, "type": "A"}}}
PASSWORD = "a password that is long enough"


def conf(*pairs: tuple[str, Any]) -> str:
    return "conf = {" + ", ".join(f"{key!r}: {value!r}" for key, value in pairs) + "}"


# --- DynDNS53


def test_a_dyndns53_file_becomes_accounts_and_hosts_even_where_its_code_is_python_2() -> None:
    imported = taken(sample("dyndns53.py.txt"))
    assert list(hosts(imported)) == [
        ("home.example.com.", "A"),
        ("cabin.example.com.", "A"),
        ("cabin.example.com.", "AAAA"),
    ]
    found = accounts(imported)
    assert found["anna"].hostnames == ("home.example.com.", "cabin.example.com.")
    assert found["bert"].hostnames == ("home.example.com.",)


def test_a_password_may_hold_colons_and_is_kept_as_a_hash_only() -> None:
    imported = taken(sample("dyndns53.py.txt"))
    stored = accounts(imported)["anna"].password
    assert stored.startswith("scrypt$")
    assert verify_password(stored, "one:two")
    assert "one:two" not in repr(imported)


def test_each_name_gets_one_generated_secret() -> None:
    found = hosts(taken(sample("dyndns53.py.txt")))
    assert {(name, host.shared_secret) for (name, _), host in found.items()} == {
        ("home.example.com.", "generated-secret-number-1"),
        ("cabin.example.com.", "generated-secret-number-2"),
    }
    assert found["cabin.example.com.", "A"].ttl == 120


def test_the_dictionary_alone_is_read_in_python_and_in_json() -> None:
    text = conf((f"u:{PASSWORD}", {"hosts": HOSTS})).removeprefix("conf = ")
    assert list(accounts(taken(text))) == ["u"]
    assert list(accounts(taken(json.dumps({f"u:{PASSWORD}": {"hosts": HOSTS}})))) == ["u"]


def test_code_beside_the_dictionary_is_not_executed(tmp_path: Path) -> None:
    sentinel = tmp_path / "executed"
    code = f"open({str(sentinel)!r}, 'w').close()\n"
    text = code + conf((f"u:{PASSWORD}", {"hosts": HOSTS})) + "\n" + code
    assert list(accounts(taken(text))) == ["u"]
    for value in (f"open({str(sentinel)!r}, 'w')", f"{{'u:p': open({str(sentinel)!r}, 'w')}}", "dict()"):
        with pytest.raises(InvalidInput, match="conf, line 1"):
            taken(f"conf = {value}\n")
    assert not sentinel.exists()


def test_a_file_without_the_dictionary_or_with_two_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at the top level"):
        taken("import os\n", format="dyndns53")
    with pytest.raises(InvalidInput, match=r"more than once: lines 1, 2"):
        taken("conf = {}\nconf = {}\n")
    with pytest.raises(InvalidInput, match="not a dictionary"):
        taken("conf = 5\n")


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("Secret-without-colon", {"hosts": HOSTS})], "item 1: its key is not of the form user:password"),
        ([("u:", {"hosts": HOSTS})], "item 1 (u): the password is empty"),
        ([(":Secret-p", {"hosts": HOSTS})], "item 1 (): '' is no user name"),
        ([("u:Secret-p", {})], "item 1 (u): there are no hosts"),
        ([("u:Secret-p", {"hosts": {"<host.example.com.>": {}}})], "item 1 (u): character that no name may hold"),
        ([("u:Secret-p", {"hosts": {"a.example.com": 5}})], "item 1 (u), a.example.com.: its settings"),
        ([("u:Secret-p", {"hosts": {"a.example.com": {"record": {"ttl": "x"}}}})], "a.example.com.: the ttl is not"),
        (
            [("u:Secret-p", {"hosts": HOSTS}), ("u:Secret-q", {"hosts": HOSTS})],
            "item 2 (u): the account is there twice",
        ),
        ([("u:Secret-p", {"hosts": HOSTS}), ("u:Secret-p", {"hosts": {}})], "line 1: u is there twice, with different"),
    ],
)
def test_problems_name_the_user_and_never_the_password(pairs: list[tuple[str, Any]], problem: str) -> None:
    imported = taken(conf(*pairs))
    assert imported.rows == ()
    assert problem in imported.problems[0]
    assert "Secret" not in repr(imported)


def test_a_shared_host_with_two_ttls_is_a_problem() -> None:
    other = {"a.example.com.": {"record": {"ttl": 61}}}
    imported = taken(conf((f"u:{PASSWORD}", {"hosts": HOSTS}), (f"v:{PASSWORD}", {"hosts": other})))
    assert "a.example.com. is there twice, with different content" in imported.problems[0]


def test_an_unknown_record_type_is_ignored_with_a_warning() -> None:
    imported = taken(conf((f"u:{PASSWORD}", {"hosts": {"a.example.com.": {"record": {"type": "CNAME"}}}})))
    assert len(hosts(imported)) == 2
    assert "record type is ignored" in imported.warnings[0]


# --- SAM


def test_a_sam_table_becomes_accounts_with_one_host_each() -> None:
    imported = taken(sample("sam_scan.json"), zone=ZONE)
    found = hosts(imported)
    assert list(found) == [
        ("test1.dyn.example.org.", "A"),
        ("test1.dyn.example.org.", "AAAA"),
        ("cabin.dyn.example.org.", "A"),
        ("cabin.dyn.example.org.", "AAAA"),
    ]
    assert [host.ttl for host in found.values()] == [3600, 3600, 300, 300]
    assert accounts(imported)["test1"].hostnames == ("test1.dyn.example.org.",)
    assert verify_password(accounts(imported)["test1"].password, "test9994")
    assert imported.warnings[0].startswith("item 1 (test1): the password has fewer than 16 characters")


def test_a_label_without_a_zone_is_a_problem() -> None:
    imported = taken(sample("sam_scan.json"))
    assert imported.problems == ("item 1 (test1): 'test1' is only a label: name the zone that it is in (--zone)",)


def test_a_user_twice_is_a_problem_unless_it_is_the_same_twice() -> None:
    item = {"user": "u12", "pass": PASSWORD, "host": "a.example.com"}
    same = taken(json.dumps([item, item]))
    assert list(accounts(same)) == ["u12"]
    assert "with the same content" in same.warnings[0]
    assert "with different content" in taken(json.dumps([item, item | {"pass": PASSWORD + "x"}])).problems[0]
