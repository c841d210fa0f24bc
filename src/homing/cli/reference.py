"""The reference pages, made of the commands and the settings themselves: `python -m homing.cli.reference docs`.

Nothing of this machine and nothing of today is in them, so that a test can compare. Not a command of `homing`.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import cli
from homing.cli.client_reference import render_client
from homing.cli.serve import serve
from homing.core.values import MISSING, defaults_of
from homing.settings import zones
from homing.settings.one_machine import FILE_NAME, PREFIX, Settings
from homing.settings.zones import ZoneSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MADE = "<!-- Made by `make docs`; do not edit. -->\n"

_SETTINGS_HEAD = f"""\
# Settings

{_MADE}
A setting is given as a flag of `homing serve`, in the environment, or in `{FILE_NAME}`; a flag wins over the
environment, and the environment over the file. `homing config show` prints every value and where it came from, and
`homing config check` tells every mistake at once. A name that is no setting is a mistake, not ignored.

The file is the one that `--config` or `HOMING_CONFIG` names, else the first of `./{FILE_NAME}`,
`$XDG_CONFIG_HOME/homing/{FILE_NAME}` (`~/.config` if unset) and `/etc/homing/{FILE_NAME}`. One in `./` that other
users may have put there is passed over, and that is told: it or its folder belongs to neither root nor you, or others
may write it, or into a folder that is not sticky. The commands beside a running server read the same file and
environment, but do not know the server's flags.

- Lists: TOML arrays; commas in the environment; a flag is given several times.
- Times: whole seconds, or text with a unit: `90`, `"5m"`, `"12h"`, `"7d"`, `"2w"`.
- Listen addresses: `"127.0.0.1:8080"`, `"[::1]:8080"`.
- Secrets have no flag, since a process list shows flags. They may stand in a file of their own, named by
  `..._FILE` in the environment or `..._file` in `{FILE_NAME}`. One that is empty there is a mistake; an empty variable
  of a secret counts as unset, while that of any other setting sets it to nothing (`HOMING_HTTP_LISTEN=` turns HTTP
  off). A file with a secret in it that others than its owner and group may read is warned of.
"""

_ZONES_HEAD = """\
## Zones

Names alone are enough: `zones = ["home.example"]`. A `[[zones]]` table says more:

```toml
[[zones]]
name = "home.example"
ns = ["ns1.home.example", "ns2.home.example"]
admin = "hostmaster@home.example"
records = [
  "ns1 A 198.51.100.53",
  "ns2 A 198.51.100.54",
  "@ MX 10 mail.example.net.",
  "www 300 IN CNAME cam",
]
```

| key | default | meaning |
|---|---|---|
"""

_ZONE_DEFAULTS = {"id": "the name", "ns": "`ns1` in the zone", "admin": "`hostmaster` in the zone"}
_ZONE_MEANINGS = {
    "name": "The zone's name (its apex).",
    "refresh": "SOA refresh, in seconds.",
    "retry": "SOA retry, in seconds.",
    "expire": "SOA expire, in seconds.",
}

_CLI_HEAD = f"""\
# Commands

{_MADE}
Exit codes: 0 done, 1 refused or failed, 2 usage, 3 temporary (try again). Every command has `--help`; with `--json` it
prints JSON of a stable shape.
"""


def render_settings() -> str:
    """Return the page of all settings."""
    flags = {option.name: max(option.opts, key=len) for option in serve.params}
    parts = [_SETTINGS_HEAD]
    for setting in fields(Settings):
        secret = setting.metadata["is_secret"]
        variable = f"`{PREFIX}{setting.name.upper()}`"
        origins = [f"`{flags[setting.name]}`"] if setting.name in flags else []
        origins += [variable, f"`{PREFIX}{setting.name.upper()}_FILE`"] if secret else [variable]
        parts.append(
            f"## {setting.name}\n\n{setting.metadata['doc']}\n\n"
            f"{' · '.join(origins)} · default: {_default(setting.default)}\n"
        )
    parts.append(_ZONES_HEAD + "\n".join(_zone_rows()) + "\n")
    return "\n".join(parts)


def render_commands() -> str:
    """Return the page of all commands."""
    return "\n".join([_CLI_HEAD, *_commands(cli, ("homing",))])


def write_pages(docs: Path) -> None:
    """Write the pages below a folder of docs."""
    folder = docs / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.md").write_text(render_settings(), encoding="utf-8")
    (folder / "cli.md").write_text(render_commands(), encoding="utf-8")
    (folder / "client.md").write_text(render_client(), encoding="utf-8")


def _default(value: Any) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{_entry(one)}`" for one in value)
    return f"`{value}`"


def _entry(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    host, port = value
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _zone_rows() -> Iterator[str]:
    meanings = _ZONE_MEANINGS | dict(_attribute_docs(ZoneSettings.__name__))
    for name, value in defaults_of(ZoneSettings).items():
        default = _ZONE_DEFAULTS.get(name) or ("needed" if value is MISSING else _default(value))
        yield f"| `{name}` | {default} | {' '.join(meanings[name].split())} |"


def _attribute_docs(class_name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts that stand below the fields of a class, which Python itself forgets."""
    tree = ast.parse(inspect.getsource(zones))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    for field, text in zip(found.body, found.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, str(ast.literal_eval(text.value))  # type: ignore[attr-defined]  # is_text


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[str]:
    context = click.Context(group, info_name=path[-1])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        yield _command(command, (*path, name))
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


def _command(command: click.Command, path: tuple[str, ...]) -> str:
    """Return one section: usage, what it is for, its example, its options."""
    context = click.Context(command, info_name=path[-1])
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    lines = [f"{'##' if len(path) == 2 else '###'} {' '.join(path)}", "", "```text", usage, "```", ""]
    lines += _help_text(inspect.cleandoc(command.help or ""))
    rows = [row for option in command.params if isinstance(option, click.Option) for row in _option(option)]
    return "\n".join([*lines, *(["| option | meaning |", "|---|---|", *rows, ""] if rows else [])])


def _help_text(text: str) -> list[str]:
    """Return the paragraphs; those behind a backspace, which keep their lines, as a block."""
    lines = []
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("\b\n"):
            lines += ["```text", paragraph.removeprefix("\b\n"), "```", ""]
        elif paragraph:
            lines += [" ".join(paragraph.split()), ""]
    return lines


def _option(option: click.Option) -> Iterator[str]:
    names = " ".join([" / ".join([*option.opts, *option.secondary_opts]), *_value_of(option)])
    meaning = (option.help or "").replace("|", "\\|")
    yield f"| `{names}` | {meaning} |"


def _value_of(option: click.Option) -> list[str]:
    if option.is_flag:
        return []
    if isinstance(option.type, click.Choice):
        return [" or ".join(map(str, option.type.choices))]
    kinds: Mapping[str, str] = {"integer": "NUMBER", "integer range": "NUMBER", "path": "PATH", "file": "PATH"}
    return [option.metavar or kinds.get(option.type.name, "TEXT")]


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
