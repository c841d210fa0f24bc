"""What may be told of an unforeseen exception: where it happened, and never a text that may quote a request."""

from __future__ import annotations

import traceback

from homing.core.errors import HomingError


def render_crash(error: BaseException) -> str:
    """Return the traceback of `error` and of what caused it, without texts that may quote a request.

    A text is shown only if it is one of ours or the system's: `int("s3cret")` puts the secret into its ValueError.
    """
    lines: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        shown = f": {link}" if isinstance(link, HomingError | OSError) else ""
        part = "".join(traceback.format_tb(link.__traceback__)) + f"{type(link).__qualname__}{shown}"
        lines.append(part)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused by\n".join(lines)
