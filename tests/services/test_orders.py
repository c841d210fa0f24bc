"""From the command line to a job, and what is refused because the service could not do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.errors import InvalidSettings
from homing.services import fitness
from homing.services.job import Given
from homing.services.orders import make_order
from homing.settings.agent import AgentSettings
from homing.settings.client import ClientSettings, Source
from tests.services.jobs import place

if TYPE_CHECKING:
    from homing.services.job import Kind
    from homing.services.orders import Order
    from homing.services.places import Init, Place

HOME = fitness.HOMES[0]
SETTINGS = '[client]\nserver = "https://d.example"\nnames = ["cam.home.example"]\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "cam.secret").write_text("s3cret-of-cam")
    file = tmp_path / "homing.toml"
    file.write_text(SETTINGS + 'secret_file = "cam.secret"\n')
    return file


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A system-wide systemd, for which this Python would do."""
    monkeypatch.setattr(fitness, "own_paths", tuple)
    return place("systemd", tmp_path)


def order(at: Place, config: Path | None, kind: Kind = "agent", environment: dict[str, str] | None = None,
          **given: Any) -> Order:  # fmt: skip
    return make_order(at, kind, given, config, {"HOME": "/nonexistent"} | (environment or {}))


def test_the_settings_file_and_its_secrets_are_named_and_not_told(sandbox: Place, config: Path) -> None:
    made = order(sandbox, config).job
    assert made.words == ("run", "--config", Given(config))
    assert made.files == (config, config.parent / "cam.secret")
    assert "s3cret" not in repr(made)


def test_flags_become_words_and_relative_files_whole_paths(
    sandbox: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.secret").write_text("s3cret")
    Path("ca.pem").write_text("pem")
    made = order(
        sandbox, None, names=("cam.home.example",), server="https://d.example", secret_file=Path("x.secret"),
        of_interface="eth0", ipv4_only=True, interval="10m", ca_file=Path("ca.pem"),
    ).job  # fmt: skip
    assert made.command[len(made.program) :] == (
        "run", "cam.home.example", "--server", "https://d.example", "--secret-file", f"{tmp_path}/x.secret",
        "--interface", "eth0", "--ipv4-only", "--ca-file", f"{tmp_path}/ca.pem", "--interval", "600",
    )  # fmt: skip


def test_a_timer_speaks_as_homing_update_does_and_has_a_cache(sandbox: Place, config: Path) -> None:
    made = order(sandbox, config, "timer", ipv6_only=True, interval="15m").job
    assert made.words == ("update", "--ipv6", "--config", Given(config), "--cache", "1d")
    assert made.interval == 900


def test_a_timer_leaves_a_cache_that_the_settings_name(sandbox: Place, config: Path) -> None:
    config.write_text(config.read_text() + 'cache = "2d"\n')
    assert "--cache" not in order(sandbox, config, "timer").job.words


def test_a_timer_has_a_cache_for_every_account(sandbox: Place, config: Path) -> None:
    other = '[[client.hosts]]\nnames = ["b.home.example"]\nsecret = "x"\n'
    config.write_text(config.read_text() + other + 'cache = "2d"\n')
    made = order(sandbox, config, "timer")
    assert made.job.words[-2:] == ("--cache", "1d")
    assert "some accounts have no cache" in made.warnings[-1]
    config.write_text(config.read_text().replace("[[client", "cache = 0\n[[client"))
    assert "--cache" not in order(sandbox, config, "timer").job.words, "none is what the settings say"


@pytest.mark.parametrize(("init", "is_user", "user"), [("cron", True, 0), ("launchd", False, 0), ("systemd", True, 0)])
def test_root_runs_no_settings_that_others_can_change(
    config: Path, monkeypatch: pytest.MonkeyPatch, init: Init, is_user: bool, user: int
) -> None:
    monkeypatch.setattr(fitness, "own_paths", tuple)
    config.parent.chmod(0o777)
    with pytest.raises(InvalidSettings, match=f"{config}: root would use it, but"):
        order(place(init, config.parent, is_user=is_user, user=user), config)
    order(place("cron", config.parent, is_user=True, user=1000), config)


def test_settings_that_cannot_work_are_refused_with_the_words_of_the_check(sandbox: Place, config: Path) -> None:
    config.write_text(SETTINGS)
    with pytest.raises(InvalidSettings, match="secret is missing: name it in secret_file"):
        order(sandbox, config)
    with pytest.raises(InvalidSettings, match="interval: expected minutes that divide an hour"):
        order(sandbox, config, "timer", interval="7m")


def test_variables_of_the_shell_do_not_count_and_are_told(sandbox: Place, config: Path) -> None:
    variables = {"HOMING_CLIENT_SECRET": "s3cret"}
    config.write_text(SETTINGS)
    with pytest.raises(InvalidSettings) as raised:
        order(sandbox, config, environment=variables)
    told = str(raised.value)
    assert "secret is missing" in told
    assert "HOMING_CLIENT_SECRET is set here, but not where the service runs" in told
    assert "s3cret" not in told
    config.write_text(SETTINGS + 'secret_file = "cam.secret"\n')
    assert "HOMING_CLIENT_SECRET" in order(sandbox, config, environment=variables).warnings[-1]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[agent]\nstate_file = "/var/x.json"\n', "state_file: /var/x.json: the service writes to a folder of its own"),
        ('[agent]\non_failure = "HOME/mail.sh"\n', "on_failure: HOME/mail.sh: no such program"),
        ('[agent]\non_change = "no-such-program-here"\n', "on_change: no-such-program-here: not found in /usr"),
        ('ipv4 = "command:HOME/my-address"\n', "ipv4: HOME/my-address: no such program"),
        ('ca_file = "ca.pem"\n', "ca_file: ca.pem: expected its whole path"),
        ('ca_file = "HOME/ca.pem"\n', "ca_file: HOME/ca.pem: HOME is hidden from it"),
    ],
)
def test_what_a_sandbox_would_break_is_refused(sandbox: Place, config: Path, more: str, told: str) -> None:
    config.write_text((config.read_text() + more).replace("HOME", HOME))
    with pytest.raises(InvalidSettings) as raised:
        order(sandbox, config)
    assert told.replace("HOME", HOME) in str(raised.value)
    order(place("systemd", config.parent, is_user=True, user=1000), config)


def test_a_keyring_is_refused_where_nobody_is_logged_in(sandbox: Place, config: Path) -> None:
    own = '[[client.hosts]]\nnames = ["b.home.example"]\nsecret = "x"\napi_key_keyring = "cam"\n'
    config.write_text(config.read_text() + own)
    with pytest.raises(InvalidSettings, match="keyring"):
        order(sandbox, config)


def test_a_python_in_a_home_is_refused_with_a_way_out() -> None:
    (told,) = fitness.program_problems([Path("/usr/bin/env"), Path(HOME, "venv/bin/python")])
    assert f"{HOME}/venv/bin/python: {HOME} is hidden from it" in told
    assert "/opt/homing" in told
    assert "--user" in told
    assert not fitness.program_problems([Path("/usr/bin/env")])


def test_a_program_behind_a_closed_door_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "TEMPORARY", ())
    file = tmp_path / "closed" / "homing"
    file.parent.mkdir(mode=0o700)
    file.touch(0o755)
    assert fitness.why_closed(file) == f"{file.parent} is not open to everybody: chmod o+rx {file.parent}"
    file.chmod(0o640)
    assert fitness.why_closed(file) == f"{file} is not open to everybody: chmod o+r {file}"
    assert "No such file" in str(fitness.why_closed(tmp_path / "none"))
    monkeypatch.undo()
    assert fitness.why_closed(Path("/tmp/homing")) == "it has a /tmp of its own"


def test_nothing_is_said_of_settings_that_a_sandbox_can_do() -> None:
    account = ClientSettings(ipv4=Source("command", "true"), ipv6=Source("interface", "eth0"))
    assert fitness.settings_problems([account], AgentSettings(on_change=("sh", "-c", "true"))) == []
