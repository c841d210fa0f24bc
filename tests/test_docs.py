"""The documents name only what exists, and name all of it. Lines to paste are run in `test_docs_lines`."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click
import pytest

from homing.cli import cli, client_reference, reference
from homing.core.outcomes import Answer, HostOutcome, Outcome, RRsetOutcome
from homing.protocols import awslabs, ddupdate, dyndns2, signed
from homing.protocols.http import Request, Response
from homing.settings import agent, client, one_machine
from homing.settings.one_machine import Settings
from homing.wiring.one_machine import make_zone
from tests.house import MODULES, PACKAGE, ROOT
from tests.pages import PAGES, Page, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITTEN = [one for one in PAGES if not one.shown.startswith("docs/reference/")]
IDS = [one.shown for one in WRITTEN]
FLAGS_OF_OTHERS = {"--continue-on-error", "--auth-no-challenge"}
WORDS_OF_OTHERS = {"ssl_ca_file"}


# --- generated pages


@pytest.mark.parametrize(
    ("shown", "made"),
    [
        ("docs/reference/settings.md", reference.render_settings()),
        ("docs/reference/cli.md", reference.render_commands()),
        ("docs/reference/client.md", client_reference.render_client()),
    ],
)
def test_the_reference_pages_are_what_the_code_makes(shown: str, made: str) -> None:
    assert page(shown).text == made, "run `make docs`"


def test_every_setting_has_a_section_and_a_meaning() -> None:
    text = page("docs/reference/settings.md").text
    for setting in fields(Settings):
        assert f"\n## {setting.name}\n\n{setting.metadata['doc']}" in text


def test_every_command_has_a_section_with_an_explanation() -> None:
    text = page("docs/reference/cli.md").text
    for path, command in commands():
        assert re.search(rf"^##+ {' '.join(path)}\n\n```text\n.*\n```\n\n\w", text, re.MULTILINE), path
        assert command.help, path


# --- names


@pytest.mark.parametrize("one", PAGES, ids=[one.shown for one in PAGES])
def test_links_lead_somewhere(one: Page) -> None:
    for link in one.links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (one.path.parent / file).resolve() if file else one.path
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target).anchors, link


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_files_that_are_named_exist(one: Page) -> None:
    for span in one.spans:
        is_file = re.fullmatch(r"[\w.*/-]+/[\w.*-]+\.(py|md|toml)", span)
        is_folder = re.fullmatch(r"(src|tests|docs|bench)/([\w-]+/)*", span)
        if (is_file or is_folder) and "NAME" not in span and not span.startswith("/"):
            assert any((root / span).exists() for root in (ROOT, PACKAGE, one.path.parent)), span


def test_the_architecture_page_names_every_folder_and_only_what_exists() -> None:
    text = page("ARCHITECTURE.md").text
    for name in re.findall(r"[\w/]+\.py", text):
        assert (ROOT / name).exists() or (PACKAGE / name).exists(), name
    for folder in {module.path.parent.name for module in MODULES if module.path.parent != PACKAGE}:
        assert f"{folder}/" in text, folder
    assert len(text.splitlines()) < 150


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_commands_and_their_flags_exist(one: Page) -> None:
    for words in _homing_lines(one):
        command = _find_command(words)
        options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        for word in words:
            if word.startswith("-"):
                assert word.split("=")[0] in options | {"--help", "--version"}, " ".join(words)


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_flags_that_are_named_alone_are_flags_of_some_command(one: Page) -> None:
    known = {
        name
        for _, command in commands()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    for span in one.spans:
        if re.fullmatch(r"--[a-z].*", span):
            assert span.split()[0] in known | FLAGS_OF_OTHERS | {"--help"}, span


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_names_with_underscores_are_names_of_the_code(one: Page) -> None:
    source = "\n".join(module.source for module in MODULES)
    for span in one.spans:
        if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", span) and span not in WORDS_OF_OTHERS:
            assert re.search(rf"\b{span}\b", source), span


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_variables_of_the_environment_are_settings(one: Page) -> None:
    known = {f"HOMING_{setting.name.upper()}" for setting in fields(Settings)} | {"HOMING_CONFIG"}
    known |= {f"HOMING_CLIENT_{name.upper()}" for name in client.READERS}
    known |= {f"HOMING_AGENT_{name.upper()}" for name in agent.READERS}
    known |= {f"HOMING_{name}" for name in ("EVENT", "NAME", "ADDRESSES", "BEFORE", "REASON")}  # of hooks
    for name in re.findall(r"\bHOMING_[A-Z_]+\b", one.text):
        assert name.removesuffix("_FILE") in known, name


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_settings_that_are_shown_can_be_used(one: Page, tmp_path: Path) -> None:
    for block in one.of("toml"):
        file = tmp_path / "homing.toml"
        file.write_text(block.text)
        loaded = one_machine.load(environment={}, file=file)
        for zone in loaded.settings.zones:
            make_zone(zone, serial=1)


def test_the_zone_of_the_settings_page_can_be_used(tmp_path: Path) -> None:
    test_settings_that_are_shown_can_be_used(page("docs/reference/settings.md"), tmp_path)


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_targets_of_make_exist(one: Page) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [span.split()[1] for span in one.spans if span.startswith("make ")]
    named += re.findall(r"^(?:\$ )?make ([a-z0-9-]+)$", "\n".join(block.text for block in one.blocks), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("one", WRITTEN, ids=IDS)
def test_lines_fit_a_terminal(one: Page) -> None:
    for line in one.prose.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line


def test_the_readme_answers_on_its_first_screen() -> None:
    first = page("README.md").text.splitlines()[:60]
    for wanted in ("make demo", "homing serve", "homing host add", "curl", "dig"):
        assert any(wanted in line for line in first), wanted


# --- outcomes


def test_the_table_of_outcomes_says_what_the_protocols_answer() -> None:
    table = _table("docs/protocols.md", "| outcome | dyndns2 |")
    rows = {cells[0].partition(" (")[0]: cells[1:] for cells in table}
    assert list(rows) == [outcome.value for outcome in Outcome]
    for outcome in Outcome:
        for cell, answer in zip(rows[outcome.value], _answers(outcome), strict=True):
            if cell != "—":
                _compare(cell, answer)


def test_the_architecture_page_names_every_outcome() -> None:
    text = page("ARCHITECTURE.md").text
    assert not [outcome.name for outcome in Outcome if not re.search(rf"\b{outcome.name}\b", text)]


def _compare(cell: str, answer: Response) -> None:
    """A cell is a status, and perhaps the body of dyndns2, or success or fail of the hash API."""
    status, _, words = cell.partition(" ")
    assert int(status) == answer.status, (cell, answer)
    body = answer.body.decode()
    if words.startswith("`"):
        assert body.strip() == words.strip("`").replace("ADDRESS", "203.0.113.7"), cell
    elif words:
        assert json.loads(body)["return_status"] == words, cell


def _answers(outcome: Outcome) -> list[Response]:
    """What each protocol renders, in the order of the columns."""
    rrset = RRsetOutcome("A", outcome, "203.0.113.7" if outcome.is_success else None)
    answer = Answer(outcome, (HostOutcome("cam.home.example.", outcome, (rrset,)),))
    asked = dyndns2.parse(_request("GET", "/nic/update", "username=a&password=b&hostname=cam.home.example"), _SOURCE)
    digest = "0" * 64
    got = awslabs.parse(_request("GET", "/", f"mode=set&hostname=cam.home.example&hash={digest}"), _SOURCE)
    members = {"execution_mode": "set", "ddns_hostname": "cam.home.example", "validation_hash": digest}
    posted = awslabs.parse(_request("POST", "/", "", json.dumps(members).encode()), _SOURCE)
    assert isinstance(asked, dyndns2.Asked)
    assert isinstance(got, awslabs.Asked)
    assert isinstance(posted, awslabs.Asked)
    return [
        dyndns2.render(asked, answer),
        awslabs.render(got, answer),
        awslabs.render(posted, answer),
        ddupdate.render(answer),
        signed.render(answer),
    ]


_SOURCE = ip_address("203.0.113.7")


def _request(method: str, path: str, query: str, body: bytes = b"") -> Request:
    return Request(method, path, query, (), body, _SOURCE)


def _table(shown: str, head: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its head."""
    lines = page(shown).text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


# --- commands


def commands(
    group: click.Group = cli, path: tuple[str, ...] = ("homing",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group, info_name=path[-1])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


_LINE = re.compile(r"^(?:\S*/)?homing(?:_admin)? (.*)$")


def _homing_lines(one: Page) -> Iterator[list[str]]:
    """Yield the words behind `homing` wherever it is shown as a command."""
    lines = [
        line for block in one.blocks if block.info.startswith(("sh", "console")) for line in block.text.splitlines()
    ]
    for line in [*lines, *one.spans, *re.findall(r"ExecStart=(.*)", one.text)]:
        for part in re.split(r"[;&|()]", line.removeprefix("$ ")):
            if (found := _LINE.fullmatch(part.strip())) and '"$@"' not in found[1]:
                yield found[1].split()


def _find_command(words: list[str]) -> click.Command:
    known = dict(commands())
    path = ("homing", *[word for word in words if not word.startswith("-")])
    while path not in known:
        path = path[:-1]
        assert len(path) > 1, " ".join(words)
    found = known[path]
    rest = words[len(path) - 1 :]
    is_verb_missing = isinstance(found, click.Group) and rest and not rest[0].startswith("-")
    assert not is_verb_missing, " ".join(words)
    return found
