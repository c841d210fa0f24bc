"""The recipes of the pages as a device's owner reads them: what to enter, by field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pages import Page

ROUTER, FIREWALL, NAS = "docs/how-to/router.md", "docs/how-to/firewall.md", "docs/how-to/nas.md"


def fields_of(page: Page, heading: str, number: int = 0) -> dict[str, str]:
    """Return a table of a section: what stands in the column "enter", by field."""
    section = re.split(rf"^## {re.escape(heading)}$", page.text, flags=re.MULTILINE)[1]
    section = re.split(r"^## ", section, flags=re.MULTILINE)[0]
    table = re.findall(r"^\| field \| enter \|\n\|---\|---\|\n((?:\|.*\n)+)", section, re.MULTILINE)[number]
    cells = (re.split(r"(?<!\\)\|", row)[1:3] for row in table.splitlines())
    return {name.strip(): value.strip().strip("`").replace("\\|", "|") for name, value in cells}


def settings_of(text: str, pattern: str) -> dict[str, str]:
    """Return key and value of each line that matches; `pattern` is what stands before the key."""
    return {key: value.strip("'") for key, value in re.findall(rf"^{pattern}(\S+?)[ =](.+)$", text, re.MULTILINE)}


def openwrt(number: int) -> Callable[[], dict[str, str]]:
    """The section's lines for uci, with its first URL or the one that is to be used instead."""

    def read() -> dict[str, str]:
        blocks = [block.text for block in page(ROUTER).of("text") if "[DOMAIN]" in block.text]
        settings = settings_of(blocks[0], r"uci set ddns\.home\.")
        return settings if number == 0 else settings | {"update_url": blocks[number].strip()}

    return read


def cisco() -> dict[str, str]:
    """The words of its configuration."""
    text = next(block.text for block in page(ROUTER).of("text") if "<a>" in block.text)
    return settings_of(text, r" +(?:ip ddns update )?")


def synology() -> dict[str, str]:
    """Both of its forms."""
    return fields_of(page(NAS), "Synology") | fields_of(page(NAS), "Synology", 1)


def synology_file() -> dict[str, str]:
    """The same by its file."""
    text = next(block.text for block in page(NAS).of("text") if "modulepath" in block.text)
    return synology() | {"Query URL": re.findall(r"queryurl=(\S.*)", text)[0]}


def mikrotik() -> dict[str, str]:
    """The script's variables, and what its one `fetch` is given."""
    text = page("docs/how-to/mikrotik.md").of("text script")[0].text
    variables = dict(re.findall(r'^:local (\w+) "(.*)"$', text, re.MULTILINE))
    (fetch,) = re.findall(r'/tool fetch url="(\S+)" user=(\S+) password=(\S+) check-certificate=yes ', text)
    assert "\\?" in fetch[0], "a bare question mark asks RouterOS for help"
    return variables | dict(zip(("fetch", "user", "password"), fetch, strict=True))


def home_assistant_files() -> tuple[dict[str, Any], dict[str, str]]:
    """Return configuration and secrets; `!secret` is a key of the latter. YAML comes with the tests' other tools."""
    yaml: Any = pytest.importorskip("yaml")
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!secret", lambda loader, node: loader.construct_scalar(node))
    one, two = (yaml.load(block.text, loader) for block in page("docs/how-to/home-assistant.md").of("yaml"))
    return one, two


def home_assistant() -> dict[str, str]:
    """One command, with its secret, and what its automation takes for success."""
    configuration, secrets = home_assistant_files()
    command: dict[str, str] = configuration["rest_command"]["homing_ipv4"]
    (condition,) = (step["if"] for step in configuration["automation"][0]["actions"] if "if" in step)
    success = re.findall(r"is match\('([^']+)'\)", condition)[0]
    return command | {"password": secrets[command["password"]], "success": success}


def table(shown: str, heading: str, number: int = 0) -> Callable[[], dict[str, str]]:
    """A section's table, read when it is wanted."""
    return lambda: fields_of(page(shown), heading, number)


def generic() -> dict[str, str]:
    """The table for devices that no page knows."""
    text = page(ROUTER).text.partition("## ")[0]
    given = dict(re.findall(r"^\| ([^|]+) \| `([^`]+)`", text, re.MULTILINE))
    return given | {"password": "the secret"}


def fritzbox(number: int) -> Callable[[], dict[str, str]]:
    """One update URL, or the field with two of them."""
    return lambda: fields_of(page(ROUTER), "FRITZ!Box") | fields_of(page(ROUTER), "FRITZ!Box", number)
