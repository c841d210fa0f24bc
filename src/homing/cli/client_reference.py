"""The reference page of the client's and the agent's settings, made of the classes themselves. Not a command."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from homing.core.values import defaults_of
from homing.settings import agent, client, client_loading, lan
from homing.settings.client import AUTO, SECRETS, ClientSettings
from homing.settings.client_keyring import SERVICE
from homing.settings.client_layers import CREDENTIAL, FILE, KEYRING, PREFIX
from homing.settings.one_machine import AGENT_TABLE, CLIENT_TABLE, LAN_TABLE
from homing.settings.toml_file import FILE_NAME
from homing.settings.values import WholeNumber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_HEAD = f"""\
# The client's settings

<!-- Made by `make docs`; do not edit. -->

`homing ip`, `homing update`, `homing run` and `homing lan` read the tables `[{CLIENT_TABLE}]`, `[{AGENT_TABLE}]` and
`[{LAN_TABLE}]` of `{FILE_NAME}`, the server's file or one of its own. A flag wins over the environment, and the
environment over the file. Everything can be said in the environment alone, as in a container; an empty variable
counts as unset. `homing config check` says what would be done, without doing it, and every mistake with file and line.
Times are in seconds, or text with a unit: `90`, `"5m"`, `"12h"`, `"7d"`.

```toml
[{CLIENT_TABLE}]
server = "https://ddns.example.com"
names = ["cam.home.example", "nas.home.example"]
secret_file = "home.secret"
ipv6 = "interface:eth0"

[[{CLIENT_TABLE}.{client_loading.HOSTS}]]
names = ["vpn.example.net"]
server = "https://dyn.example.net"
protocol = "dyndns2"
username = "alice"
secret_file = "vpn.secret"
```

Each `[[{CLIENT_TABLE}.{client_loading.HOSTS}]]` table is an account of its own; what it leaves out, `[{CLIENT_TABLE}]`
says for it. Its own settings win over the environment, which is not about one account. Where a table has a server of
its own and no secret, that server is given the secret of `[{CLIENT_TABLE}]`, of which each command warns. A name in
several tables, such as at two services, is kept at each of them, also when it is named on the command line.

A secret is looked for in this order; the API key likewise, under its own name (`api_key_file` and so on):

| place | what it says |
|---|---|
| `secret_file`, `secret_keyring` or `secret` in a `[[{CLIENT_TABLE}.{client_loading.HOSTS}]]` table | that account's |
| `{PREFIX}SECRET` | the secret itself |
| `{PREFIX}SECRET_FILE` | a file that holds nothing else, or a pipe |
| `{PREFIX}SECRET_KEYRING` | an entry of the system's keyring |
| systemd credential `{CREDENTIAL}secret` | the secret itself |
| `secret_file`, `secret_keyring` or `secret` in `[{CLIENT_TABLE}]` | one of the three |

The flag `--secret-file` stands above all of them. Where a file with a secret in it may be read by others than its owner
and group, each command warns of it.

An entry of the keyring is `USER` or `SERVICE:USER`; the service is `{SERVICE}` unless named. It needs
`pip install 'homing[keyring]'`, and somebody who has unlocked the keyring: on a machine where nobody logs in, take a
file or a systemd credential. `secret_keyring = "cam.home.example"` is what this line has stored:

```sh
keyring set {SERVICE} cam.home.example
```

Where nothing names a server, ddupdate's own file is read as it is: `/usr/local/etc/dyndns.conf`, then
`/etc/dyndns.conf`. What is not about one account, such as `interval`, may stand in the environment or in
`[{CLIENT_TABLE}]` beside it.

## Sources of an address

| source | where the address comes from |
|---|---|
| `reflector` | the server itself, asked over that family |
| `seen` | nobody asks: the server takes where the request comes from (dyndns2, ddupdate, duckdns) |
| `203.0.113.7` | the address itself |
| `https://...` | a page that tells it: bare, as JSON, or like Dyn's |
| `interface`, `interface:eth0` | this machine: global, stable, not deprecated (Linux) |
| `command:...` | a program that prints it; `FAMILY` is 4 or 6 |
| `router` | the router: NAT-PMP or PCP, then UPnP, then `stun_server` |
| `nat-pmp`, `upnp`, `stun:HOST` | one of these; the first two may name the router, as `nat-pmp:192.168.1.1` |
| `none` | leave this family alone |
| `auto` | `interface` if the Internet reaches its address; else `reflector`, for ddupdate and duckdns `seen` |

An address that is not global, of the other family, or none at all is never sent. `allow_internal` lets the first pass.

A proxy that the environment names (`http_proxy` and its like) is not used: a server would see the proxy's address.
"""
_TABLE = "| setting | default | meaning |\n|---|---|---|\n"
_SHOWN = {"server": "needed", "names": "needed", "secret": "needed"}


def render_client() -> str:
    """Return the page."""
    of_client = f"## [{CLIENT_TABLE}]\n\nEach is `{PREFIX}...` in the environment.\n\n"
    of_agent = f"## [{AGENT_TABLE}]\n\nEach is `{agent.PREFIX}...` in the environment.\n\n"
    of_lan = f"## [{LAN_TABLE}]\n\nEach is `{lan.PREFIX}...` in the environment.\n\n"
    return "\n".join([
        _HEAD,
        of_client + _TABLE + "".join(_rows(client, ClientSettings)),
        of_agent + _TABLE + "".join(_rows(agent, agent.AgentSettings)),
        of_lan + _TABLE + "".join(_rows(lan, lan.LanSettings)),
    ])  # fmt: skip


def _rows(module: ModuleType, cls: type[Any]) -> Iterator[str]:
    meanings = dict(_texts(module, cls.__name__))
    for name, default in defaults_of(cls).items():
        names = ", ".join(f"`{name}{end}`" for end in (("", FILE, KEYRING) if name in SECRETS else ("",)))
        meaning = meanings[name] + _bounds(module.READERS[name])
        yield f"| {names} | {_SHOWN.get(name) or _render(default)} | {meaning} |\n"


def _bounds(reader: Any) -> str:
    """Return the end of a meaning: the bounds that the reader itself has."""
    if not isinstance(reader, WholeNumber):
        return ""
    return f" From {reader.low} to {reader.high}{' seconds' * reader.is_seconds}."


def _render(default: Any) -> str:
    if default in (None, ()):
        return "none"
    if default is AUTO:
        return "`auto`"
    return f"`{str(default).lower()}`"


def _texts(module: ModuleType, class_name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts that stand below the fields of a class, which Python itself forgets."""
    tree = ast.parse(inspect.getsource(module))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    for field, text in zip(found.body, found.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, " ".join(str(ast.literal_eval(text.value)).split())  # type: ignore[attr-defined]  # is_text
