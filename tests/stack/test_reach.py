"""What a module can import is read from its source: lazy imports count, those for type checking do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Refused
from homing.stack.reach import find_reached, imports_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    texts = {
        "__init__.py": "",
        "start.py": "import json\nfrom pkg import plain\nfrom pkg.sub.deep import Thing\n",
        "plain.py": "def go():\n    from pkg import lazy\n",
        "lazy.py": "if TYPE_CHECKING:\n    from pkg import typed\nelse:\n    import pkg.fast\n",
        "fast.py": "", "typed.py": "", "unused.py": "",
        "sub/__init__.py": "from . import beside\n",
        "sub/deep.py": "from ..plain import go\n",
        "sub/beside.py": "",
    }  # fmt: skip
    for name, text in texts.items():
        path = tmp_path / "pkg" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return tmp_path / "pkg"


def test_all_that_can_be_imported_is_found_and_nothing_else(tree: Path) -> None:
    found = find_reached({"pkg": tree}, ["pkg.start"], ())
    names = {"", ".start", ".plain", ".lazy", ".fast", ".sub", ".sub.deep", ".sub.beside"}
    assert set(found) == {f"pkg{name}" for name in names}
    assert found["pkg.sub"] == tree / "sub" / "__init__.py"


def test_a_package_that_nobody_brings_along_is_refused(tree: Path) -> None:
    (tree / "fast.py").write_text("import requests\n")
    with pytest.raises(Refused, match=r"pkg\.fast imports requests"):
        find_reached({"pkg": tree}, ["pkg.start"], ())
    assert "pkg.fast" in find_reached({"pkg": tree}, ["pkg.start"], ("requests",))


def test_a_module_that_is_missing_is_refused(tree: Path) -> None:
    (tree / "fast.py").write_text("import pkg.gone\n")
    with pytest.raises(Refused, match=r"pkg\.gone does not exist"):
        find_reached({"pkg": tree}, ["pkg.start"], ())


def test_imports_are_found_wherever_they_stand() -> None:
    source = "class A:\n  def f(self):\n    try:\n      import a.b\n    except ImportError:\n      from c import d\n"
    assert list(imports_of(source, "x")) == [("a.b", ()), ("c", ("d",))]
