"""The parts around the agent's step: the state file, what an account means, hooks, pings, the log, systemd."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from homing.client import remote
from homing.client.agent.values import AskDns, Send
from homing.core.addresses import parse_address
from homing.protocols.asking import Heard, HostReply, Kind, Reply
from homing.runtimes.agent import jobs as agent_jobs
from homing.runtimes.agent.accounts import Orders, errands_of, key_of, plan_of
from homing.runtimes.agent.jobs import do_ask, do_send, ping, run_hook
from homing.runtimes.agent.log import LogLines
from homing.runtimes.agent.state import StateFile
from homing.runtimes.agent.workers import MAX_LEFT, MAX_WAITING, Crew, Worker
from homing.runtimes.supervision import notify, watchdog_seconds
from homing.settings.agent import AgentSettings
from homing.settings.client import ClientSettings, parse_source
from tests.e2e.programs import wait_for

if TYPE_CHECKING:
    from homing.client.agent.values import Verdict

ACCOUNT = ClientSettings(server="https://ddns.example.com", names=("cam.home.example",), secret="s3cret")


class Lines(LogLines):
    """A log that is kept."""

    def __init__(self) -> None:
        super().__init__("debug")
        self.kept: list[str] = []

    def write(self, level: Any, text: str) -> None:
        self.kept.append(f"{level} {text}")


def always() -> bool:
    return True


# --- the state file


def test_what_is_put_is_there_after_a_restart_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.json"
    assert StateFile(path).put("a", {"x": 1}) is None
    again = StateFile(path)
    assert again.get("a") == {"x": 1}
    assert again.get("b") is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["agent.json"]


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b'{"accounts": []}', b'{"accounts": {"a": 7}}', b"[" * 100_000])
def test_a_file_that_is_not_ours_is_empty(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "agent.json"
    path.write_bytes(text)
    assert StateFile(path).get("a") is None
    assert StateFile(path).put("a", {}) is None


def test_a_disk_that_takes_nothing_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent.json"
    kept = StateFile(path)
    kept.put("a", {"x": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert kept.put("a", {"x": 2}) == f"{path}: No space left on device"
    assert json.loads(path.read_text()) == {"accounts": {"a": {"x": 1}}}
    assert os.listdir(tmp_path) == ["agent.json"]


def test_a_second_agent_is_told_who_has_the_file_already(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.json"
    first, second = StateFile(path), StateFile(path)
    assert first.lock() is None
    warning = second.lock()
    assert warning is not None
    assert warning.startswith(f"{path}: another agent (process {os.getpid()}) uses it as well")
    (tmp_path / "new" / "agent.json.lock").write_bytes(b"")
    assert "another agent uses it" in (second.lock() or "")
    first.unlock()
    assert second.lock() is None
    second.unlock()


def test_where_nothing_can_be_written_there_is_no_lock_and_no_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert StateFile(tmp_path / "file" / "agent.json").lock() is None


def test_accounts_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    kept = StateFile(tmp_path / "agent.json")
    kept.put("a", {})
    kept.put("b", {})
    kept.keep_only({"b"})
    kept.put("b", {"x": 1})
    assert StateFile(tmp_path / "agent.json").get("a") is None


# --- accounts


def with_(**changes: Any) -> ClientSettings:
    return ClientSettings(**({"server": ACCOUNT.server, "names": ACCOUNT.names, "secret": "s3cret"} | changes))


def test_dyn_and_its_like_want_no_repetition_after_a_refusal() -> None:
    assert plan_of(with_(protocol="dyndns2", username="u")).final_wait is None
    assert plan_of(with_(protocol="dyndns2", username="u")).refresh == 25 * 86_400
    assert plan_of(ACCOUNT).final_wait == 3600
    assert plan_of(ACCOUNT).refresh is None


def test_another_secret_is_the_owner_acting_on_the_same_account() -> None:
    one, other = plan_of(ACCOUNT), plan_of(with_(secret="other"))
    assert one.fingerprint != other.fingerprint
    assert key_of(one) == key_of(other)
    assert key_of(one) != key_of(plan_of(with_(server="https://b.example")))
    assert "s3cret" not in repr(one)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(Kind.UPDATED, ""), "updated"),
        (Reply(Kind.UNCHANGED, ""), "unchanged"),
        (Reply(Kind.REFUSED, "no", is_final=True), "refused"),
        (Reply(Kind.NOT_A_SERVER, "portal"), "not-a-server"),
        (Reply(Kind.TRY_LATER, "911", 1800), "try-later"),
        (Reply(Kind.TRY_LATER, "no route"), "no-answer"),
    ],
)
def test_a_reply_becomes_the_agents_word(reply: Reply, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def send(_: object, names: object, addresses: object, *__: object) -> Reply:
        sent.append((names, addresses))
        return reply

    monkeypatch.setattr(agent_jobs, "send", send)
    event: Any = do_send(Send(7, ("cam.home.example",), (parse_address("203.0.113.7"),)), ACCOUNT, always)
    assert (event.number, event.verdict, event.text, event.retry_after, event.is_final) == (
        7, verdict, reply.text, reply.retry_after, reply.is_final,
    )  # fmt: skip
    assert sent == [(("cam.home.example",), {4: parse_address("203.0.113.7")})]


def test_dns_is_asked_for_a_label_of_duckdns_with_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask_dns(name: str, *_: object) -> frozenset[object]:
        asked.append(name)
        return frozenset()

    monkeypatch.setattr(agent_jobs, "ask_dns", ask_dns)
    do_ask(AskDns(7, "myhome", ("A",), 2.0), with_(protocol="duckdns", server=""), time.monotonic() + 60)
    do_ask(AskDns(7, "cam.home.example", ("A",), 2.0), ACCOUNT, time.monotonic() + 60)
    assert asked == ["myhome.duckdns.org", "cam.home.example"]


def test_what_is_said_of_single_names_reaches_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = (
        HostReply("cam.home.example.", Kind.UNCHANGED),
        HostReply("cam.home.example.", Kind.UPDATED),
        HostReply("nas.home.example", Kind.REFUSED, "nohost: not yours"),
        HostReply("tv.home.example", Kind.TRY_LATER),
    )
    reply = Reply(Kind.REFUSED, "nohost: not yours", is_final=True, hosts=hosts)
    monkeypatch.setattr(agent_jobs, "send", lambda *_: reply)
    names = ("cam.home.example", "nas.home.example", "tv.home.example")
    event: Any = do_send(Send(7, names, (parse_address("203.0.113.7"),)), ACCOUNT, always)
    assert event.names == {
        "cam.home.example": ("updated", "nohost: not yours"),
        "nas.home.example": ("refused", "nohost: not yours"),
    }
    assert not event.is_shared
    monkeypatch.setattr(agent_jobs, "send", lambda *_: Reply(Kind.REFUSED, "badauth: no", is_final=True))
    shared: Any = do_send(Send(7, names, (parse_address("203.0.113.7"),)), ACCOUNT, always)
    assert shared.is_shared


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, 45),
        ({"protocol": "dyndns2", "username": "u"}, 20),
        ({"protocol": "dyndns2"}, 1),
        ({"protocol": "duckdns"}, 20),
        ({"protocol": "awslabs"}, 1),
        ({"protocol": "ddupdate"}, 1),
    ],
)
def test_each_protocol_takes_as_many_names_as_it_can(changes: dict[str, Any], most: int) -> None:
    assert plan_of(with_(**changes)).most_names == most


def test_certificates_that_cannot_be_read_are_no_answer(tmp_path: Path) -> None:
    event: Any = do_send(Send(7, ("x",), (parse_address("203.0.113.7"),)), with_(ca_file=tmp_path / "none"), always)
    assert event.verdict == "no-answer"


# --- threads, hooks, pings


def test_a_job_that_fails_does_not_end_the_worker_nor_tell_what_it_knew() -> None:
    lines, done = Lines(), threading.Event()
    worker = Worker("test", lines)
    worker.do(lambda: int("s3cret"))  # type: ignore[arg-type]  # it fails before it returns
    worker.do(done.set)
    assert done.wait(20)
    assert "ValueError" in lines.kept[0]
    assert "s3cret" not in lines.kept[0].replace('int("s3cret")', "")


def test_a_worker_that_hangs_drops_what_is_too_much() -> None:
    lines, go = Lines(), threading.Event()

    def wait() -> None:
        go.wait(20)

    worker = Worker("test", lines)
    for _ in range(MAX_WAITING + 10):
        worker.do(wait)
    assert any("dropped" in line for line in lines.kept)
    go.set()


def test_a_server_that_hangs_holds_up_no_other() -> None:
    go, held, free = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        held.set()
        go.wait(20)

    crew = Crew(Lines())
    crew.do("https://a.example", hang)
    assert held.wait(10)
    second = threading.Event()
    crew.do("https://a.example", second.set)
    crew.do("https://b.example", free.set)
    assert free.wait(10)
    assert not second.is_set(), "one server is asked two things at a time"
    go.set()
    assert second.wait(10)


def test_what_waits_behind_a_job_that_was_given_up_is_done_at_once_by_a_few_threads_at_most() -> None:
    go, held, free = threading.Event(), threading.Semaphore(0), threading.Event()

    def hang() -> None:
        held.release()
        go.wait(20)

    crew = Crew(Lines())
    for number in range(MAX_LEFT):
        crew.do("a", hang, number)
        assert held.acquire(timeout=10)
        crew.abandon(number)
    crew.do("a", hang, "last")
    assert held.acquire(timeout=10)
    crew.do("a", free.set, "next")
    crew.abandon("another")
    crew.abandon("last")  # one too many is left: the next waits
    assert not free.wait(0.2)
    go.set()
    assert free.wait(10)
    crew.keep_only(())
    assert wait_for(lambda: not [one for one in threading.enumerate() if one.name == "a"])


def test_a_job_that_waits_goes_to_the_fresh_thread_and_is_done_once() -> None:
    go, held, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        held.set()
        go.wait(20)

    crew = Crew(Lines())
    crew.do("a", hang, "old")
    assert held.wait(10)
    crew.do("a", done.release, "next")
    crew.abandon("old")
    assert done.acquire(timeout=10)
    go.set()
    assert not done.acquire(timeout=0.2)
    crew.keep_only(())


def test_an_update_that_was_given_up_asks_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is asked for first, and then set: in between the agent may have begun to set another."""
    asked: list[str] = []
    settings = with_(protocol="awslabs", ipv4=parse_source("address:203.0.113.7"), ipv6=parse_source("none"))

    def exchange(_: str, ask: Any, __: object) -> Heard:
        asked.append(ask.path)
        return Heard(200, (), b'{"return_message": "203.0.113.7", "return_status": "success"}')

    monkeypatch.setattr("homing.client.update.exchange", exchange)
    event: Any = do_send(Send(7, ACCOUNT.names, (parse_address("203.0.113.7"),)), settings, lambda: not asked)
    assert event.verdict == "no-answer"
    assert len(asked) == 1


def test_a_resolver_that_is_silent_is_waited_for_until_the_deadline_and_not_for_each_type() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = with_(dns_server=silent.getsockname())
        began = time.monotonic()
        event: Any = do_ask(AskDns(7, "cam.home.example", ("A", "AAAA"), 0.3), settings, began + 0.3)
        assert event.addresses == {"A": None, "AAAA": None}
        silent.settimeout(0)
        asked = [silent.recv(512) for _ in range(2)]
        with pytest.raises(BlockingIOError):
            silent.recv(512)
        assert all(query.endswith(b"\0\x01\0\x01" + query[-11:]) for query in asked)
        late: Any = do_ask(AskDns(8, "cam.home.example", ("A",), 0.3), settings, began)
        assert late.addresses == {"A": None}


def test_a_server_that_is_not_in_the_settings_any_more_keeps_no_thread() -> None:
    before, done = threading.active_count(), threading.Event()
    crew = Crew(Lines())
    for server in ("a", "b"):
        crew.do(server, done.set)
    assert done.wait(10)
    crew.keep_only({"c"})
    assert wait_for(lambda: threading.active_count() == before)


def test_a_hook_is_told_what_happened_and_none_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMING_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    out = tmp_path / "out"
    script = f"import os, json; json.dump(dict(os.environ), open({str(out)!r}, 'w'))"
    run_hook((sys.executable, "-W", "ignore", "-c", script), "change", {"name": "cam", "addresses": "a b"}, Lines())
    seen = json.loads(out.read_text())
    told = {"HOMING_EVENT": "change", "HOMING_NAME": "cam", "HOMING_ADDRESSES": "a b"}
    assert {name: value for name, value in seen.items() if name.startswith("HOMING_")} == told
    assert "CREDENTIALS_DIRECTORY" not in seen


def test_a_hook_that_fails_hangs_or_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_jobs, "HOOK_SECONDS", 0.3)
    lines = Lines()
    run_hook(("/nowhere/hook",), "change", {}, lines)
    run_hook(("false",), "change", {}, lines)
    started = time.monotonic()
    run_hook(("sleep", "60"), "change", {}, lines)
    assert time.monotonic() - started < 30
    assert [line.partition(": ")[2].split(" ")[0] for line in lines.kept] == ["No", "ended", "took"]


class _Watchdog(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None:
        pass


def test_a_ping_fetches_the_url_and_fail_beside_it() -> None:
    _Watchdog.asked = []
    with HTTPServer(("127.0.0.1", 0), _Watchdog) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/1234/"
        lines = Lines()
        ping(url, lines, is_well=True)
        ping(url, lines, is_well=False)
        server.shutdown()
    assert _Watchdog.asked == ["/1234/", "/1234/fail"]
    assert lines.kept == []


def test_a_ping_that_nobody_hears_is_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise remote.ServerUnreachable("hc.example: no route")

    monkeypatch.setattr(agent_jobs, "exchange", unreachable)
    lines = Lines()
    ping("http://hc.example/1234", lines, is_well=True)
    assert lines.kept == ["warning ping: hc.example: no route"]


# --- the log, systemd


def test_lines_have_a_time_or_for_the_journal_a_priority(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    LogLines("info").write("debug", "unseen")
    LogLines("info").write("warning", "seen")
    assert capfd.readouterr().err.endswith(" warning seen\n")
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    LogLines("info").write("error", "two\nlines")
    assert capfd.readouterr().err == "<3>two\n<3>lines\n"


def test_the_watchdog_is_told_twice_as_often_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_seconds() == 15
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_seconds() is None
    for text in ("", "0", "x"):
        monkeypatch.setenv("WATCHDOG_USEC", text)
        assert watchdog_seconds() is None


@pytest.mark.parametrize("place", ["", "relative", "/nowhere/socket", "@homing-nobody"])
def test_nobody_listening_is_no_failure(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    notify("READY=1")


def test_the_agents_process_needs_no_command_line_no_dns_library_and_no_event_loop() -> None:
    """What it loads stays for years: a hundred kilobytes here and there were five megabytes."""
    orders = pickle.dumps(Orders(errands_of(AgentSettings()), (ACCOUNT,), Path("agent.json"), "info"))
    script = (
        "import sys, _pickle, homing.runtimes.agent.process, homing.runtimes.agent.loop;"
        f"_pickle.loads({orders!r}); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    heavy = {"click", "dns", "idna", "asyncio", "logging", "dataclasses", "inspect", "tomllib", "tempfile", "starlette"}
    assert not heavy & {name.partition(".")[0] for name in loaded}
    assert not {"email", "http", "subprocess", "difflib", "shlex", "unicodedata", "runpy", "pickle"} & loaded
    assert not {"homing.client.lan.plan", "homing.runtimes.lan", "homing.settings.agent"} & loaded
