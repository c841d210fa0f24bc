"""What a machine is to run by itself: the agent, or one update after the other. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from homing.core.errors import InvalidInput
from homing.core.values import frozen

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["agent", "timer"]
DEFAULT_INTERVAL = 300


@frozen
class Given:
    """A word of a command that is the path of a file, which a service may have to be handed."""

    path: Path
    """From the root."""


@frozen(kw_only=True)
class Job:
    """One command, and when it is run. It holds no secret: only where secrets lie."""

    kind: Kind
    """`agent` runs from boot on; `timer` is run again and again."""
    program: tuple[str, ...]
    """The program by its whole path, and what stands before the command's own words."""
    words: tuple[str | Given, ...]
    secret_files: tuple[Path, ...] = ()
    """Files that the settings file names. They are in no word, but the command reads them."""
    interval: int = DEFAULT_INTERVAL
    """Of a timer, in seconds; one of those that `check_interval` takes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the command has to read, each once."""
        of_words = [word.path for word in self.words if isinstance(word, Given)]
        return tuple(dict.fromkeys((*of_words, *self.secret_files)))

    @property
    def command(self) -> tuple[str, ...]:
        """The command with its files where they lie."""
        return (*self.program, *(str(word.path) if isinstance(word, Given) else word for word in self.words))


def check_interval(seconds: int) -> int:
    """Return an interval that every one of systemd, launchd and cron can keep. Raises InvalidInput."""
    minutes, rest = divmod(seconds, 60)
    is_even = minutes > 0 and (60 % minutes == 0 or (minutes % 60 == 0 and 1440 % minutes == 0))
    if rest or not is_even:
        raise InvalidInput("expected minutes that divide an hour, or hours that divide a day, such as 5m, 15m or 6h")
    return seconds


def check_words(job: Job) -> None:
    """Refuse what none of the three could be told. Raises InvalidInput."""
    for text in (*job.command, *map(str, job.secret_files)):
        if any(not character.isprintable() for character in text):
            raise InvalidInput(f"{text!r}: expected a text of printable characters")
