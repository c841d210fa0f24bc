"""What `homing config` tells: every setting with its value and origin, and what a client would do.

No secret's value is in it.
"""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

from homing.client.own_address import is_left_to_us
from homing.core.values import defaults_of
from homing.settings.client import DUCKDNS, SECRETS, ClientSettings
from homing.settings.one_machine import Settings
from homing.settings.zones import ZoneSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from homing.settings.client_loading import LoadedClient
    from homing.settings.one_machine import Loaded
    from homing.settings.table import LoadedTable

Shown = dict[str, dict[str, Any]]
"""Of each setting its `value` and its `origin`."""

HIDDEN = {*SECRETS, "ping_url"}
"""Whoever knows the ping URL can keep the owner's watchdog quiet."""
_DEFAULT = "default"


def show_server(loaded: Loaded) -> Shown:
    """Return the settings of the server."""
    return {
        setting.name: {
            "value": show(getattr(loaded.settings, setting.name), is_secret=setting.metadata["is_secret"]),
            "origin": loaded.origins[setting.name],
        }
        for setting in fields(Settings)
    }


def show_accounts(loaded: LoadedClient | None) -> list[Shown]:
    """Return the settings of each account of the client."""
    pairs = zip(loaded.accounts, loaded.origins, strict=True) if loaded else ()
    return [
        {
            name: {
                "value": show(getattr(account, name), is_secret=name in HIDDEN),
                "origin": origins.get(name, _DEFAULT),
            }
            for name in defaults_of(ClientSettings)
        }
        for account, origins in pairs
    ]


def show_table(loaded: LoadedTable, defaults: Mapping[str, Any]) -> Shown:
    """Return the settings of a table of plain ones."""
    values = {**defaults, **loaded.values}
    return {
        name: {"value": show(value, is_secret=name in HIDDEN), "origin": loaded.origins.get(name, _DEFAULT)}
        for name, value in values.items()
    }


def describe_accounts(loaded: LoadedClient | None) -> list[dict[str, Any]]:
    """Return what a client would do for each account, without doing it."""
    pairs = zip(loaded.accounts, loaded.origins, strict=True) if loaded else ()
    return [_describe_account(account) | {"origins": dict(origins)} for account, origins in pairs]


def _describe_account(account: ClientSettings) -> dict[str, Any]:
    return {
        "server": account.server or DUCKDNS,
        "protocol": account.protocol,
        "names": list(account.names),
        "ipv4": _where_from(account, 4),
        "ipv6": _where_from(account, 6),
        "interval": account.interval,
    }


def _where_from(account: ClientSettings, family: Literal[4, 6]) -> str:
    source = account.source(family)
    if source.kind == "none":
        return f"no IPv{family}"
    own = "this machine's own public one, else " if is_left_to_us(account, family) else ""
    return f"IPv{family} from {own}{source}"


def account_lines(accounts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what would be done for each account, and below it where that is said."""
    for one in accounts:
        where = f"at {one['server']} by {one['protocol']}, {one['ipv4']} and {one['ipv6']}"
        yield f"client: would set {', '.join(one['names'])} {where}"
        for name in ("server", "ipv4", "ipv6", *SECRETS):
            if name in one["origins"]:
                yield f"  {name}: {one['origins'][name]}"


def agent_lines(shown: Shown, state_file: Path) -> Iterator[str]:
    """Yield what the agent would do besides."""
    checks = "asks DNS what it shows" if shown["check_dns"]["value"] else "does not ask DNS"
    yield f"agent: would keep its state in {state_file}, and {checks}"
    for name, one in shown.items():
        if name not in ("state_file", "check_dns") and one["origin"] != _DEFAULT:
            value = shlex.join(one["value"]) if name.startswith("on_") else as_text(one["value"])
            yield f"  {name}: {value} ({one['origin']})"


def table_lines(name: str, shown: Shown) -> Iterator[str]:
    """Yield what another table says that is not as it would be without it."""
    given = {setting: one for setting, one in shown.items() if one["origin"] != _DEFAULT}
    if given:
        yield f"{name}:"
    for setting, one in given.items():
        yield f"  {setting}: {as_text(one['value'])} ({one['origin']})"


def show(value: Any, *, is_secret: bool = False) -> Any:
    """Return a value as JSON has it; of a secret only whether it is there."""
    if is_secret:
        return None if value is None else "(set)"
    if isinstance(value, tuple | list):
        return [show(one) for one in value]
    if isinstance(value, ZoneSettings):
        return value.name
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def as_text(value: Any) -> str:
    """Return a value as a table has it."""
    if isinstance(value, list):
        return ", ".join(f"{one[0]} port {one[1]}" if isinstance(one, list) else str(one) for one in value) or "-"
    return "-" if value is None else str(value)
