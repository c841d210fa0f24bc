"""inadyn.conf as inadyn 1.99 and earlier had it: the options of its command line, one a line, with or without `--`.

    dyndns_system default@dyndns.org
    username alice
    alias a.example.com

It is turned into the blocks of version 2, so that one reader knows what they mean. A `system` begins an account where
the one before has its own already; `_` and `-` are the same. Several options may share a line, where all but the first
have their `-`; any other word behind a value may be half of a password, and is never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.formats.inadyn_blocks import MAX_FILE, Block, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "1.99"
"""What the block of such a file is called."""
_SYSTEM, _ALIAS, _CHECK, _MILLISECONDS = "system", "hostname", "checkip-url", "update-period"
_NAMES = {
    **dict.fromkeys(("dyndns-system", "S", _SYSTEM), _SYSTEM),
    **dict.fromkeys(("username", "u"), "username"),
    **dict.fromkeys(("password", "p"), "password"),
    **dict.fromkeys(("alias", "a"), _ALIAS),
    **dict.fromkeys(("dyndns-server-name", "server-name", "N"), "ddns-server"),
    **dict.fromkeys(("dyndns-server-url", "server-url", "U"), "ddns-path"),
    **dict.fromkeys(("ip-server-name", _CHECK, "H"), _CHECK),
    **dict.fromkeys(("update-period-sec", "period", "T"), "period"),
    **dict.fromkeys(("forced-update-period", "forced-update", "f"), "forced-update"),
    **dict.fromkeys(("proxy-server", "x"), "proxy"),
    **dict.fromkeys(("iface", "i"), "iface"),
    **dict.fromkeys(("iterations", "n"), "iterations"),
    **dict.fromkeys(("logfile", "log-file", "L"), "logfile"),
    **dict.fromkeys(("cache-dir", "cachefile", "c"), "cache-dir"),
    **dict.fromkeys(("pidfile", "P"), "pidfile"),
    **dict.fromkeys(("drop-privs", "d"), "drop-privs"),
    **dict.fromkeys(("verbose", "V"), "verbose"),
    **dict.fromkeys(("exec", "e"), "exec"),
    **dict.fromkeys(("bind", "B"), "bind"),
    _MILLISECONDS: _MILLISECONDS,
    "startup-delay": "startup-delay",
}
"""What takes a value: as it is written, and as version 2 calls it, where it has it."""
_FLAGS = {
    **dict.fromkeys(("background", "b"), "background"),
    **dict.fromkeys(("syslog", "s"), "syslog"),
    **dict.fromkeys(("wildcard", "w"), "wildcard"),
    "ssl": "ssl",
}
_KNOWN = {*_NAMES, *_FLAGS}
_OF_ACCOUNTS = ("username", "password", _ALIAS, "ddns-server", "ddns-path", "ssl", "wildcard", _CHECK, "proxy")


def parse_lines(text: str, origin: str) -> Block:
    """Return the file as blocks. Raises InvalidInput with each line that is malformed, and what was expected."""
    if len(text) > MAX_FILE:
        raise InvalidInput(f"{origin}: longer than {MAX_FILE} characters")
    problems: list[str] = []
    shared: list[Option] = []
    accounts: list[dict[str, Option]] = [{}]
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        for option in _options(_words(line), number, f"{origin}:{number}", problems):
            if option.name == _SYSTEM and _SYSTEM in accounts[-1]:
                accounts.append({})
            if option.name == _ALIAS and (known := accounts[-1].get(_ALIAS)):
                accounts[-1][_ALIAS] = Option(_ALIAS, known.values + option.values, known.line)
            elif option.name in (_SYSTEM, *_OF_ACCOUNTS):
                accounts[-1][option.name] = option
            else:
                shared.append(option)
    if problems:
        raise InvalidInput("\n".join(problems))
    return Block(KIND, "", 1, tuple(shared), tuple(_block(one) for one in accounts if one))


def _words(line: str) -> list[str]:
    """Return the words of a line; a comment begins at its start, or behind a blank."""
    words = line.split()
    end = next((number for number, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:end]


def _options(words: list[str], line: int, where: str, problems: list[str]) -> Iterator[Option]:
    at, before = 0, ""
    while at < len(words):
        name = words[at].lstrip("-").replace("_", "-")
        if before and (not words[at].startswith("-") or name not in _KNOWN):
            problems.append(f"{where}: {before}: expected no more words behind it; a value has no blanks")
            return
        at, before = at + 1, name
        if name in _FLAGS:
            yield Option(_FLAGS[name], ("true",), line)
            continue
        if name not in _NAMES:
            yield Option(name[:40].lower(), tuple(words[at:]), line)
            return
        count = 2 if _NAMES[name] == _CHECK else 1
        values = words[at : at + count]
        at += count
        if not values:
            problems.append(f"{where}: {name}: expected a value behind it")
        elif name == _MILLISECONDS:
            period = str(int(values[0]) // 1000) if values[0].isascii() and values[0].isdigit() else values[0]
            yield Option("period", (period,), line)
        else:
            yield Option(_NAMES[name], tuple(values), line)


def _block(account: dict[str, Option]) -> Block:
    """Return the block of version 2 that says the same."""
    line = min(option.line for option in account.values())
    title = account[_SYSTEM].values[0] if _SYSTEM in account else "default@dyndns.org"
    options = []
    for option in account.values():
        if option.name == _ALIAS:
            options.append(Option(_ALIAS, tuple(value.partition(",")[0] for value in option.values), option.line))
        elif option.name == _CHECK:
            server, path = (*option.values, "/")[:2]
            options += [Option("checkip-server", (server,), option.line), Option("checkip-path", (path,), option.line)]
        elif option.name == "ddns-path" and "?" not in option.values[0]:
            options.append(Option("ddns-path", (option.values[0] + "?hostname=%h&myip=%i",), option.line))
        elif option.name != _SYSTEM:
            options.append(option)
    kind = "custom" if "ddns-server" in account or title.startswith("custom@") else "provider"
    return Block(kind, title, line, tuple(options))
