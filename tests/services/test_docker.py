"""The Docker files, as far as they can be judged without Docker: nothing is copied that is not there, or left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest

from homing.cli import cli
from tests.house import ROOT

FOLDER = ROOT / "deploy" / "docker"


@pytest.fixture(scope="module")
def compose() -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def instructions(name: str) -> list[str]:
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in text.splitlines() if line.startswith(name + " ")]


def copied() -> set[str]:
    return {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == copied()
    assert all((ROOT / name).exists() for name in copied())


def test_no_link_leads_to_what_is_not_copied() -> None:
    """uv_build says "No such file or directory" of such a link, and no more."""
    links = [path for name in copied() for path in (ROOT / name).rglob("*") if path.is_symlink()]
    assert links, "the link to the template of the stack"
    for link in links:
        target = link.resolve().relative_to(ROOT)
        assert any(target == Path(name) or target.is_relative_to(name) for name in copied()), link


def test_it_is_nobody_and_a_program_not_a_shell() -> None:
    assert instructions("USER") == ["10001"]
    assert instructions("ENTRYPOINT") == ['["homing"]']
    assert instructions("CMD") == ['["serve"]']


def test_the_services_are_confined(compose: Any) -> None:
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "environment" not in service, "secrets are files"


def test_the_agent_sees_the_hosts_network_and_is_not_asked_for_its_health(compose: Any) -> None:
    agent = compose["services"]["agent"]
    assert agent["network_mode"] == "host"
    assert "ports" not in agent
    assert agent["healthcheck"] == {"disable": True}


def test_the_commands_exist_and_their_files_are_handed_over(compose: Any) -> None:
    for service in compose["services"].values():
        name, *words = service["command"]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known
        handed = {f"/run/secrets/{secret}" for secret in service["secrets"]}
        assert {word for word in words if word.startswith("/run")} <= handed
        assert set(service["secrets"]) <= set(compose["secrets"])
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]
            assert re.search(r"^VOLUME /var/lib/homing$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
