"""clients/homing.ps1 where there is no PowerShell: its texts, replayed against the parser of the server.

Its templates and patterns are the same in Python, but for `\\z`. Where pwsh is installed, it is run as well.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from homing.core.credentials import SignedRequest, sign
from homing.core.update import UpdateRequest
from homing.protocols import signed
from homing.protocols.http import Request
from tests.e2e.programs import run, serving
from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCRIPT = ROOT / "clients" / "homing.ps1"
SECRET = "s3cret-of-a-group-0123456789abcdef"
SOURCE = ip_address("203.0.113.7")
AUTOMATIC = {"_", "null", "true", "false", "lastexitcode", "erroractionpreference"}
VERBS = {
    "Add",
    "ConvertFrom",
    "ConvertTo",
    "ForEach",
    "Get",
    "Read",
    "Select",
    "Send",
    "Set",
    "Stop",
    "Test",
    "Where",
    "Write",
}
TOKEN = re.compile(
    r"""(?P<comment><\#.*?\#>|\#[^\n]*)|(?P<single>'(?:[^']|'')*')|(?P<double>"(?:[^"`]|`.)*")|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


@cache
def text() -> str:
    return SCRIPT.read_text(encoding="ascii")


def code(*, strings: bool = True) -> str:
    """Return the script without comments, and without what stands in quotes if that is not wanted."""
    kept = ("other", "single", "double") if strings else ("other",)
    return "".join(found[0] if found.lastgroup in kept else "" for found in TOKEN.finditer(text()))


def only(pattern: str) -> str:
    """Return the one place where the script has this; the group is what is wanted of it."""
    found = re.findall(pattern, code())
    assert len(found) == 1, (pattern, found)
    return str(found[0])


def pattern_of(words: str) -> re.Pattern[str]:
    """Return a regular expression of the script, which ignores case as PowerShell does."""
    return re.compile(only(words).replace(r"\z", r"\Z"), re.IGNORECASE)


def body_of(updates: Mapping[str, tuple[str, ...]]) -> str:
    """Put a body together as the script does."""
    one_address, one_host = only(r"""'("\{0\}")' -f \$_ \}"""), only(r"""'(\{\{"hostname".*?)' -f \$_, \$list""")
    whole = only(r"""'(\{\{"as".*?)' -f \$names\[0\], \$updates""")
    hosts = [one_host.format(name, ", ".join(map(one_address.format, told))) for name, told in updates.items()]
    return whole.format(next(iter(updates)), ", ".join(hosts))


# --- what is sent


@pytest.mark.parametrize("names", [("cam.home.example.",), ("nas.home.example.", "cam.home.example.")])
@pytest.mark.parametrize("addresses", [("203.0.113.7",), ("203.0.113.7", "2001:db8::7")])
def test_the_server_understands_the_body_and_the_signature(names: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    body = body_of(dict.fromkeys(names, addresses))
    time = 1_795_240_000_123
    message = only(r"GetBytes\(\('(.*?)' -f \$Time, \$Body\)\)").format(time, body)
    assert message == f"{time}.{body}"
    header = only(r"\$signature = '(.*?)' -f \$Time, \(Get-Signature \$Time \$Body\)")
    header = header.format(time, sign(SECRET, time, body.encode()))
    name = only(r"TryAddWithoutValidation\('(.*?)', \$signature\)")
    path = only(r"HttpMethod\]::Post, \"\$Server(.*?)\"\)")
    assert (path, name.lower()) == (signed.UPDATE_PATH, signed.HEADER)
    parsed = signed.parse(Request("POST", path, "", ((name.lower(), header),), body.encode(), SOURCE), SOURCE)
    assert isinstance(parsed, UpdateRequest), parsed
    assert isinstance(parsed.proof, SignedRequest)
    assert parsed.proof.matches(SECRET)
    assert not parsed.proof.matches(SECRET + "x")
    assert parsed.proof.signed_at == time
    assert [str(update.hostname) for update in parsed.updates] == list(names)
    assert all(len(update.wishes) == len(addresses) for update in parsed.updates)


def test_the_signature_is_an_hmac_with_sha256_of_bytes_in_utf_8_as_lower_case_hex() -> None:
    assert only(r"\$hmac = (\S+)\(\[Text.Encoding\]::UTF8.GetBytes\(\$Secret\)\)") == (
        "[Security.Cryptography.HMACSHA256]::new"
    )
    only(r"\$digest = \$hmac\.ComputeHash\(\[Text\.Encoding\]::UTF8\.GetBytes\(")
    only(r"return \[BitConverter\]::ToString\(\$digest\)\.Replace\('-', ''\)\.ToLowerInvariant\(\)")
    only(r"StringContent\]::new\(\$Body, \[Text\.Encoding\]::UTF8, 'application/json'\)")
    only(r"\[DateTime\]::new\(1970, 1, 1, 0, 0, 0, \[DateTimeKind\]::Utc\)")
    only(r"\(\[DateTime\]::UtcNow - \$epoch\)\.TotalMilliseconds")


@pytest.mark.parametrize("good", ["203.0.113.7", "2001:db8::7", "::1", "2001:DB8:0:0:0:0:0:7"])
def test_what_is_an_address_passes(good: str) -> None:
    assert pattern_of(r"\$Text -notmatch '(.*?)'\) \{ return \$null").match(good)


@pytest.mark.parametrize(
    "bad", ["", "7", "203.0.113", "203.0.113.7\n", "<html>", "fe80::1%3", "203.0.113.7/32", '1.1.1.1"']
)
def test_what_is_no_address_does_not(bad: str) -> None:
    assert not pattern_of(r"\$Text -notmatch '(.*?)'\) \{ return \$null").match(bad)


def test_private_addresses_are_known() -> None:
    first, second = re.findall(r"\$private = '(.*?)' \+\s*'(.*?)'", code())[0]
    private = re.compile(first + second)
    for address in ("10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "172.31.0.1", "169.254.1.1", "100.64.0.1",
                    "100.127.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.7", "198.18.0.1"):  # fmt: skip
        assert private.match(address), address
    for address in ("1.1.1.1", "100.63.0.1", "100.128.0.1", "172.15.0.1", "172.32.0.1", "11.0.0.1", "223.1.1.1"):
        assert not private.match(address), address


def test_names_and_urls_hold_nothing_that_could_leave_their_place_in_the_body() -> None:
    name, url = pattern_of(r"\$one -notmatch '(.*?)'"), pattern_of(r"\$Server -notmatch '(\^https\?.*?)'")
    assert name.match("cam.home.example.")
    assert not any(name.match(text) for text in ('a".b.', "a b.c.", "a..b.", ".", "a.b", "a.b.\n"))
    assert url.match("https://ddns.home.example:8443/prod")
    assert not any(url.match(text) for text in ("ftp://x", "https://a@b", "https://x y", "https://", "https://x\n"))


def test_the_time_of_a_stranger_is_believed_over_tls_and_on_this_machine_only() -> None:
    believed = pattern_of(r"\$believed = \$Server -match '(.*?)'\n")
    assert all(
        believed.match(one) for one in ("https://x", "http://127.0.0.1", "http://localhost:80", "http://[::1]/a")
    )
    assert not any(believed.match(one) for one in ("http://x", "http://127.0.0.1.example.com", "http://localhost.x"))


# --- how it is written


def test_quotes_and_brackets_are_balanced() -> None:
    opened: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for character in code(strings=False):
        assert character not in "'\"`"
        if character in pairs.values():
            opened.append(character)
        elif character in pairs:
            assert opened.pop() == pairs[character]
    assert opened == []


def test_every_variable_that_is_read_is_one_that_is_set() -> None:
    expandable = "\n".join(found["double"] for found in TOKEN.finditer(text()) if found["double"])
    read = re.findall(r"[$@]\{?(?:script:)?(\w+)", code(strings=False) + expandable)
    assigned = re.findall(r"\$(?:script:)?(\w+) \+?= ", code()) + re.findall(r"foreach \(\$(\w+) in", code())
    parameters = re.findall(r"\[[\w.]+(?:\[\])?\] \$(\w+)(?: =|,|\)|\n)", code())
    known = {name.lower() for name in (*assigned, *parameters)} | AUTOMATIC
    assert {name.lower() for name in read} - known == set()


def test_commands_are_written_out_and_nothing_weakens_the_tls() -> None:
    commands = set(re.findall(r"(?<![-\w.$'])([A-Za-z]+-[A-Za-z]+)\b(?!')", code(strings=False)))
    assert {command.partition("-")[0] for command in commands} <= VERBS, commands
    assert not re.search(r"(?i)(?:^|[|{;(]\s*)(%|\?|iwr|irm|curl|wget|gc|cat|echo|select|where|iex)\s", code())
    for word in ("SkipCertificateCheck", "CertificateValidation", "Invoke-Expression", "DangerousAccept", "Ssl3"):
        assert word.lower() not in text().lower()
    assert "-bor [Net.SecurityProtocolType]::Tls12" in code()
    assert "$handler.AllowAutoRedirect = $false" in code()


def test_every_parameter_is_explained_and_every_end_has_one_of_the_exit_codes() -> None:
    parameters = re.findall(r"^    \[\w+(?:\[\])?\] \$(\w+)", text().partition("\n)\n")[0], re.MULTILINE)
    assert re.findall(r"^\.PARAMETER (\w+)$", text(), re.MULTILINE) == parameters
    assert set(re.findall(r"Stop-Update (\S+) ", code())) == {"1", "2", "3"}
    assert set(re.findall(r"exit (\S+)", code(strings=False))) == {"$Code", "0", "3"}


def test_it_is_plain_ascii_for_windows_powershell_takes_it_for_the_code_page_otherwise() -> None:
    assert set(text()) - {"\n"} <= set(map(chr, range(32, 127)))
    assert max(map(len, text().splitlines())) <= 120


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="there is no PowerShell here")
def test_it_sets_a_name(tmp_path: Path) -> None:
    with serving(tmp_path, "--zone", "home.test") as server:
        (tmp_path / "secret").write_text(server.add_host("cam.home.test", "--allow-internal") + "\r\n")
        command: list[str | Path] = [
            "pwsh",
            "-NoProfile",
            "-File",
            SCRIPT,
            "-Server",
            server.url,
            "-Name",
            "cam.home.test",
            "-AllowInternal",
        ]
        for word in ("updated", "unchanged"):
            done = run([*command, "-SecretFile", "secret"], tmp_path)
            assert (done.returncode, done.stdout) == (0, f"cam.home.test. A 127.0.0.1 {word}\n"), done.stderr
        (tmp_path / "wrong").write_text("wrong")
        assert run([*command, "-SecretFile", "wrong"], tmp_path).returncode == 1
        assert run([*command, "-SecretFile", "none"], tmp_path).returncode == 2
    assert run([*command, "-SecretFile", "secret"], tmp_path).returncode == 3
