"""Which source files a module can ever import: read, never run. Lazy imports count, those for type checking do not."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from homing.core.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path


def find_reached(roots: Mapping[str, Path], entries: Sequence[str], elsewhere: Collection[str]) -> dict[str, Path]:
    """Return every module of `roots` that the `entries` reach, by its dotted name.

    `roots` are the packages that may be taken along and where they lie, `elsewhere` those that the runtime brings by
    itself. Raises Refused for a module that is neither, nor of the standard library.
    """
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _find_file(roots, name)
        if path is None:
            raise Refused(f"the module {name} does not exist: the package cannot be complete")
        found[name] = path
        waiting += [parent for parent in _parents(name) if parent not in found]
        for imported in imports_of(path.read_text(encoding="utf-8"), _package_of(name, path)):
            waiting += _wanted(roots, imported, elsewhere, name)
    return found


def imports_of(source: str, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each module that a text imports at run time, with the names that it takes out of it."""
    for node in _run_time_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (above, node.module or "") if part)
            yield module, tuple(alias.name for alias in node.names)


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield other
                yield from _run_time_nodes(other)
            continue
        yield node
        yield from _run_time_nodes(node)


def _wanted(
    roots: Mapping[str, Path], imported: tuple[str, tuple[str, ...]], elsewhere: Collection[str], importer: str
) -> list[str]:
    """Return the modules to take along: `from homing.core import names` means a module, `import Name` does not."""
    module, names = imported
    top = module.partition(".")[0]
    if top in roots:
        inner = [f"{module}.{name}" for name in names]
        return [module, *(name for name in inner if _find_file(roots, name))]
    if top not in sys.stdlib_module_names and top not in elsewhere:
        raise Refused(f"{importer} imports {module}, which is not part of the package")
    return []


def _find_file(roots: Mapping[str, Path], name: str) -> Path | None:
    top, *rest = name.split(".")
    place = roots[top].joinpath(*rest)
    candidates = [place / "__init__.py", *([place.with_name(place.name + ".py")] if rest else [])]
    return next((path for path in candidates if path.is_file()), None)


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _package_of(name: str, path: Path) -> str:
    return name if path.name == "__init__.py" else name.rpartition(".")[0]
