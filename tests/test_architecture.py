"""The house rules that a program can check: layers, purity, one place of composition, and a few habits.

A rule that fails names file and line. The layers are drawn in ARCHITECTURE.md; the drawing is checked against this.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.house import MODULES, PACKAGE, ROOT, import_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house import Module

LAYERS = (
    ("cli",),
    ("runtimes",),
    ("wiring",),
    ("web", "client", "stack", "services"),
    ("stores", "publishers", "notifiers"),
    ("app", "aws"),
    ("protocols", "formats"),
    ("settings",),
    ("core",),
)
"""Top may import lower only; those on one line never import each other."""

ADAPTERS = ("stores", "publishers", "notifiers")
PURE = ("core", "protocols", "formats")
IMPURE_MODULES = frozenset({
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "signal", "subprocess", "threading"),
    *("time", "zoneinfo", "random", "secrets", "uuid", "logging", "sys"),
    *("ftplib", "http", "select", "selectors", "smtplib", "socket", "socketserver", "ssl", "urllib.request"),
    *("glob", "io", "os", "pathlib", "shutil", "sqlite3", "tempfile", "urllib.error"),
})  # fmt: skip
"""I/O, clocks, randomness, logging and concurrency. `datetime` is pure where nobody asks it for now."""
MAY_USE_DNSPYTHON = ("homing.protocols.dns_", "homing.protocols.zone_file", "homing.runtimes.dns_")
MAX_LINES = 300
SECRET_WORDS = ("secret", "password", "digest", "token", "hash")
NO_SECRETS = ("content_digest",)
"""The hash of a zone's settings, which nobody has to guess."""


def unit_of(name: str) -> str | None:
    """Return the box of the drawing that a module is in; None for the package itself, which holds the version."""
    parts = name.split(".")
    if len(parts) == 1:
        return None
    return {"__main__": "cli"}.get(parts[1], parts[1])


def line_of(unit: str) -> int:
    return next(number for number, units in enumerate(LAYERS) if unit in units)


def of_layer(*units: str) -> tuple[Module, ...]:
    return tuple(module for module in MODULES if unit_of(module.name) in units)


def top(name: str) -> str:
    return name.partition(".")[0]


def nodes(*kinds: Any) -> Iterator[tuple[Module, Any]]:
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, kinds):
                yield module, node


# --- what may import what


def test_every_module_is_in_a_layer() -> None:
    known = {unit for units in LAYERS for unit in units}
    assert {unit for module in MODULES if (unit := unit_of(module.name))} <= known


def test_a_layer_imports_only_lower_ones() -> None:
    wrong = [
        f"{module.shown}:{line} {here} imports {name}"
        for module in MODULES
        for name, line in module.imports
        if (here := unit_of(module.name)) and name.startswith("homing.")
        if (there := unit_of(name)) and there != here and line_of(there) <= line_of(here)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_drawing_in_the_architecture_page_shows_these_layers() -> None:
    drawn = re.search(r"```text\n(cli .*?)```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    assert drawn
    lines = [re.split(r"\s{2,}", line)[0] for line in drawn[1].splitlines() if line and not line.startswith(" ")]
    assert [tuple(line.split(" | ")) for line in lines] == list(LAYERS)


def test_only_wiring_names_adapters() -> None:
    wrong = [
        f"{module.shown}:{line} imports {name}"
        for module in MODULES
        if unit_of(module.name) not in ("wiring", *ADAPTERS)
        for name, line in module.imports
        if unit_of(name) in ADAPTERS
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_within_the_package_have_no_cycle() -> None:
    names = {module.name for module in MODULES}
    graph = {
        module.name: {name for name, _ in _run_time_imports(module) if name in names and name != module.name}
        for module in MODULES
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for one in sorted(graph[name]):
                visit(one, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def _run_time_imports(module: Module) -> list[tuple[str, int]]:
    typing_only = {
        node.lineno
        for block in ast.walk(module.tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [(name, line) for name, line in module.imports if line not in typing_only]


# --- purity


def test_the_pure_layers_import_no_input_output_clock_randomness_or_logging() -> None:
    wrong = [
        f"{module.shown}:{line} imports {name}"
        for module in of_layer(*PURE)
        for name, line in module.imports
        if name in IMPURE_MODULES or top(name) in IMPURE_MODULES
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pure_layers_have_no_coroutine_open_no_file_and_ask_no_clock() -> None:
    wrong = []
    for module in of_layer(*PURE):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor):
                wrong.append(f"{module.shown}:{node.lineno} is async")
            elif isinstance(node, ast.Call) and _called(node) in ("open", "now", "utcnow", "today", "input"):
                wrong.append(f"{module.shown}:{node.lineno} calls {ast.unparse(node.func)}")
    assert not wrong, "\n".join(wrong)


def test_core_is_the_standard_library_and_idna() -> None:
    allowed = sys.stdlib_module_names | {"homing", "idna"}
    wrong = [
        f"{module.shown}:{line} imports {name}"
        for module in of_layer("core")
        for name, line in module.imports
        if top(name) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_dnspython_is_used_for_the_wire_format_and_zone_files_only() -> None:
    wrong = [
        f"{module.shown}:{line} imports {name}"
        for module in MODULES
        if not module.name.startswith(MAY_USE_DNSPYTHON)
        for name, line in module.imports
        if top(name) == "dns" and unit_of(module.name) not in ("cli", "publishers")
    ]
    assert not wrong, "\n".join(wrong)


# --- importing does nothing


@pytest.fixture(scope="module")
def imported() -> dict[str, dict[str, Any]]:
    """What importing each module does, and which packages it draws in."""
    return import_each()


def test_importing_a_module_does_nothing(imported: dict[str, dict[str, Any]]) -> None:
    assert len(imported) == len(MODULES)
    assert {name: found["did"] for name, found in imported.items() if found["did"]} == {}


def test_the_core_of_an_update_needs_no_server_no_database_and_no_command_line(
    imported: dict[str, dict[str, Any]],
) -> None:
    light = ("homing.app.", "homing.core.", "homing.web.", "homing.client.", "homing.formats.")
    protocols = [f"homing.protocols.{one}" for one in ("http", "dyndns2", "awslabs", "ddupdate", "signed", "reflector")]
    heavy = {"dns", "starlette", "uvicorn", "sqlite3", "click", "boto3", "asyncio"}
    for name, found in imported.items():
        if name.startswith(light) or name in protocols:
            assert not heavy & set(found["roots"]), name


def test_the_way_of_an_update_makes_its_values_without_dataclasses(imported: dict[str, dict[str, Any]]) -> None:
    """A cold start pays for each import: `core/values.py` says how much."""
    assert "dataclasses" not in imported["homing.web.routes"]["roots"]
    assert "inspect" not in imported["homing.web.routes"]["roots"]


def test_the_command_line_starts_without_the_libraries_of_the_server(imported: dict[str, dict[str, Any]]) -> None:
    assert not {"dns", "starlette", "uvicorn", "sqlite3", "boto3"} & set(imported["homing.cli"]["roots"])


# --- habits


def test_files_stay_short() -> None:
    long = {module.shown: lines for module in MODULES if (lines := len(module.source.splitlines())) > MAX_LINES}
    assert not long


def test_a_file_opens_with_what_it_is() -> None:
    empty = [module.shown for module in MODULES if module.source.strip() and not ast.get_docstring(module.tree)]
    assert not empty


def test_secrets_are_never_compared_with_equals() -> None:
    wrong = [
        f"{module.shown}:{node.lineno} {ast.unparse(node)}"
        for module, node in nodes(ast.Compare)
        if any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and any(_names_a_secret(one) for one in (node.left, *node.comparators))
        and not any(_is_harmless(one) for one in (node.left, *node.comparators))
    ]
    assert not wrong, "\n".join(wrong)


def _names_a_secret(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    is_constant = name.isupper()
    return not is_constant and name not in NO_SECRETS and any(word in name for word in SECRET_WORDS)


def _is_harmless(node: ast.expr) -> bool:
    """Tell whether it is None or empty: asking whether there is a secret tells nothing about it."""
    return isinstance(node, ast.Constant) and node.value in (None, "")


def test_regular_expressions_match_the_whole_text() -> None:
    wrong = [
        f"{module.shown}:{node.lineno} re.match lets a line end through"
        for module, node in nodes(ast.Attribute)
        if node.attr == "match" and isinstance(node.value, ast.Name)
        if node.value.id == "re" or node.value.id.isupper()
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{module.shown}:{node.lineno} prints"
        for module, node in nodes(ast.Call)
        if unit_of(module.name) != "cli" and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write")
    ]
    assert not wrong, "\n".join(wrong)


def test_names_are_the_terms_of_the_field() -> None:
    banned = {"master", "slave", "provider", "backend", "manager", "util", "utils", "helper", "helpers", "common"}
    banned |= {"misc", "base"}
    wrong = [module.shown for module in MODULES if banned & set(re.split(r"[._]", module.name))]
    wrong += [
        f"{module.shown}:{node.lineno} {node.name}"
        for module, node in nodes(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if banned & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", node.name)}
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_that_is_written_names_the_machine_that_it_was_written_on() -> None:
    texts = [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*.md"),
    ]
    machine = re.compile("/" + r"(root|work|home/[a-z]+)/")
    wrong = [str(path.relative_to(ROOT)) for path in texts if machine.search(path.read_text(encoding="utf-8"))]
    assert not wrong


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
