"""What `homing config check` finds by opening what the settings name, and by comparing accounts: what cannot work.

The commands that use the settings find the same when they use them; nothing is run here, and no server is asked.
"""

from __future__ import annotations

import hmac
import re
import shutil
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from homing.client.trust import trust
from homing.core.errors import InvalidInput
from homing.settings.agent import HOOKS
from homing.settings.text_file import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from homing.settings.client import ClientSettings
    from homing.settings.client_loading import LoadedClient
    from homing.settings.table import LoadedTable

_SHELLS = re.compile(r"[0-9]*[|<>;&]\S*|\S+;")
"""A word that only a shell takes for more than a word; one with a blank in it was quoted."""
_SUBNET = 64


def account_problems(loaded: LoadedClient) -> Iterator[str]:
    """Yield what is wrong with certificates that are named, and with names of which one secret has to be wrong."""
    pairs = [*zip(loaded.accounts, loaded.origins, strict=True)]
    told = set()
    for account, origins in pairs:
        if account.ca_file is not None and origins["ca_file"] not in told:
            told.add(origins["ca_file"])
            try:
                trust(account.ca_file)
            except InvalidInput as error:
                yield f"{origins['ca_file']}: ca_file: {error}"
    for (one, of_one), (other, of_other) in combinations(pairs, 2):
        for name in () if _is_shared(one, other) else _keys(one) & _keys(other):
            where = f"at {other.server or other.protocol} ({of_one['secret']})"
            yield f"{of_other['secret']}: {name[-1]} has another secret {where}: one of them is wrong"


def _is_shared(one: ClientSettings, other: ClientSettings) -> bool:
    return hmac.compare_digest((one.secret or "").encode(), (other.secret or "").encode())


def _keys(account: ClientSettings) -> set[tuple[str | None, ...]]:
    """Return what a server knows a secret by, for each name; the name stands last."""
    server = account.server.rstrip("/").lower()
    return {(server, account.protocol, account.username, name.lower().rstrip(".")) for name in account.names}


def hook_problems(agent: LoadedTable) -> Iterator[str]:
    """Yield which hook's program is not there, or may not be run."""
    for name, words in _hooks(agent):
        if shutil.which(words[0]) is None:
            why = f"may not be run: chmod +x {words[0]}" if is_file(Path(words[0])) else "no such program"
            yield f"{agent.origins[name]}: {name}: {words[0]}: {why}"


def hook_warnings(agent: LoadedTable) -> Iterator[str]:
    """Yield which hook seems to be written for a shell."""
    for name, words in _hooks(agent):
        if sign := next((word for word in words if _SHELLS.fullmatch(word)), None):
            yield (
                f"{agent.origins[name]}: {name}: no shell runs it, and {sign[:20]} is handed to {words[0]} as a word;"
                f' if a shell is meant: {name} = ["sh", "-c", "..."]'
            )


def lan_warnings(lan: LoadedTable) -> Iterator[str]:
    """Yield which lease files are not there, and a prefix that no link has."""
    for file in lan.values.get("leases", ()):
        if not is_file(file):
            yield f"{lan.origins['leases']}: leases: {file}: no such file yet, or it may not be seen"
    prefix = lan.values.get("prefix")
    if prefix is not None and prefix.prefixlen < _SUBNET:
        yield (
            f"{lan.origins['prefix']}: prefix: {prefix} is not that of a link, which is a /{_SUBNET}: a machine that is"
            " known by its MAC address would be put into the first subnet"
        )


def _hooks(agent: LoadedTable) -> Iterator[tuple[str, Sequence[str]]]:
    yield from ((name, agent.values[name]) for name in HOOKS if agent.values.get(name))
