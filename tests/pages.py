"""The documents as the tests see them: pages, blocks of code, code spans, links and headings.

No more of Markdown than the documents use. Lines are run in `test_docs_lines`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from textwrap import dedent
from typing import TYPE_CHECKING

from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is what stands behind the fence: `sh run`, `sh serve`, `text output`, `toml`, ..."""

    info: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def shown(self) -> str:
        """The path as people write it."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """What stands outside of blocks."""
        return _BLOCK.sub("", self.text)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, in order."""
        return tuple(Block(info, dedent(text)) for _, info, text in _BLOCK.findall(self.text))

    @cached_property
    def spans(self) -> tuple[str, ...]:
        """The code within lines; a span that goes over a line's end is put together."""
        return tuple(" ".join(span.split()) for span in _SPAN.findall(self.prose))

    @cached_property
    def links(self) -> tuple[str, ...]:
        """What is linked to."""
        return tuple(_LINK.findall(self.prose))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The headings, as links name them."""
        return frozenset(_slug(line.lstrip("# ")) for line in self.prose.splitlines() if re.match(r"#+ ", line))

    def of(self, *infos: str) -> tuple[Block, ...]:
        """The blocks of these kinds."""
        return tuple(block for block in self.blocks if block.info in infos)


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


PAGES = tuple(Page(path) for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))])


def page(shown: str) -> Page:
    """Return a page by its path."""
    return next(one for one in PAGES if one.shown == shown)
