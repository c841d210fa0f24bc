"""The reference page of the client's and the agent's settings, made of the classes themselves. Not a command."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from homing.core.values import defaults_of
from homing.settings import agent, client, client_loading
from homing.settings.client import AUTO, SECRETS, ClientSettings
from homing.settings.one_machine import AGENT_TABLE, CLIENT_TABLE, FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_HEAD = f"""\
# The client's settings

<!-- Made by `make docs`; do not edit. -->

`homing ip`, `homing update`, `homing run` and `homing lan` read the tables `[{CLIENT_TABLE}]` and `[{AGENT_TABLE}]` of
`{FILE_NAME}`, which may be the server's file or one of its own. A flag wins over the environment, and the environment
over the file. `homing config check` says what would be done, without doing it.

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
says for it. Its own settings win over the environment, which is not about one account.

A secret is read from, in this order: `{client_loading.PREFIX}SECRET`, the file that
`{client_loading.PREFIX}SECRET_FILE` names, the systemd credential `{client_loading.CREDENTIAL}secret`, `secret_file` in
the table, `secret` in the table. Where a file with a secret in it may be read by others, each command warns of it. The
API key is looked for in the same places, under its own name.

Where nothing names a server, ddupdate's own file is read as it is: `/usr/local/etc/dyndns.conf`, then
`/etc/dyndns.conf`.

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
| `auto` | `reflector`; for ddupdate and duckdns `seen`, and IPv4 only where their servers know no better |

An address that is not global, of the other family, or none at all is never sent. `allow_internal` lets the first pass.
"""
_TABLE = "| setting | default | meaning |\n|---|---|---|\n"
_SHOWN = {"server": "needed", "names": "needed", "secret": "needed"}


def render_client() -> str:
    """Return the page."""
    of_client = f"## [{CLIENT_TABLE}]\n\nEach is `{client_loading.PREFIX}...` in the environment.\n\n"
    of_agent = f"## [{AGENT_TABLE}]\n\nEach is `{agent.PREFIX}...` in the environment.\n\n"
    return "\n".join([
        _HEAD,
        of_client + _TABLE + "".join(_rows(client, ClientSettings)),
        of_agent + _TABLE + "".join(_rows(agent, agent.AgentSettings)),
    ])  # fmt: skip


def _rows(module: ModuleType, cls: type[Any]) -> Iterator[str]:
    meanings = dict(_texts(module, cls.__name__))
    for name, default in defaults_of(cls).items():
        names = f"`{name}`" + (f", `{name}_file`" if name in SECRETS else "")
        yield f"| {names} | {_SHOWN.get(name) or _render(default)} | {meanings[name]} |\n"


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
