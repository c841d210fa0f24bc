"""Steps: what they are, how they are run one after the other, and how their results are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from homing.core.errors import HomingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from real_aws.stage import Stage

Shape = Literal["direct", "stream", "http api", "rest api", "cloudfront", ""]
"""What the stack is like: how it publishes, and which endpoint it has. Empty: any, but there is one."""
Verdict = Literal["passed", "failed", "skipped"]


class Failed(Exception):
    """The system did not do what it should."""


class Skipped(Exception):
    """It cannot be tried here; the text says why."""


def expect(holds: object, told: object) -> None:
    """Raise Failed with what was told unless something holds."""
    if not holds:
        raise Failed(str(told))


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Its name and its description are those of the function."""

    check: Callable[[Stage], str | None]
    """Returns what is worth telling. Raises Failed or Skipped."""
    shape: Shape | None = None
    """What the stack has to be like; None: it may not even be there."""
    makes: Shape | None = None
    """What the stack is like afterwards."""

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return self.check.__name__.replace("_", "-")

    @property
    def description(self) -> str:
        """One line."""
        return (self.check.__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def needs_cloudfront(self) -> bool:
        """Whether it waits for a distribution."""
        return "cloudfront" in (self.shape, self.makes)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step."""

    name: str
    verdict: Verdict
    told: str
    seconds: float = 0.0


def run_steps(stage: Stage, steps: Sequence[Step], results: list[Result], tell: Callable[[str], None]) -> None:
    """Run one after the other; `results` grows as they end, so that it is of use even after Ctrl-C."""
    for number, step in enumerate(steps, 1):
        tell(f"\n[{number}/{len(steps)}] {step.name}: {step.description}")
        began = stage.clock()
        verdict, told = _run(stage, step)
        results.append(Result(step.name, verdict, told, stage.clock() - began))
        tell(f"  {verdict}{': ' + told if told else ''}")


def _run(stage: Stage, step: Step) -> tuple[Verdict, str]:
    if reason := _why_not(stage, step):
        return "skipped", reason
    try:
        told = step.check(stage) or ""
    except Skipped as reason_given:
        return "skipped", str(reason_given)
    except (Failed, HomingError, OSError) as error:
        _unmake(stage, step)
        return "failed", str(error) or type(error).__name__
    except Exception as error:  # a fault of the step's own must not keep the others from being tried
        _unmake(stage, step)
        return "failed", f"{type(error).__name__}: {error}"
    if step.makes is not None:
        stage.shape = step.makes
    return "passed", told


def _why_not(stage: Stage, step: Step) -> str:
    if step.shape is None:
        return ""
    if stage.shape is None and not stage.is_deployed:
        return "the stack was not deployed"
    if step.shape and stage.shape != step.shape:
        return f"the stack is not in the form '{step.shape}'"
    return ""


def _unmake(stage: Stage, step: Step) -> None:
    """What a deployment that failed has left is not known."""
    if step.makes is not None:
        stage.shape = None


def select(steps: Sequence[Step], names: Sequence[str], *, with_cloudfront: bool) -> list[Step]:
    """Return the steps to run: all, or those named with what they rest on. Raises ValueError for a name that is none.

    Each shape is made by one step, which comes along with whatever needs it.
    """
    known = {step.name for step in steps}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no step {', '.join(unknown)}; --list shows them")
    if not names:
        return [step for step in steps if with_cloudfront or not step.needs_cloudfront]
    chosen = [step for step in steps if step.name in names]
    shapes = {step.shape for step in chosen if step.shape}
    is_any = any(step.shape == "" for step in chosen)
    if shapes or is_any:
        shapes.add("direct")  # every stack begins so
    return [step for step in steps if step in chosen or (step.makes in shapes and step.makes is not None)]


def table_of(results: Sequence[Result]) -> str:
    """Return the results as a table, what failed at the end again."""
    width = max((len(one.name) for one in results), default=4)
    rows = [f"{one.verdict:<8} {one.name:<{width}} {one.seconds:>6.0f} s  {one.told}".rstrip() for one in results]
    counts = {verdict: sum(one.verdict == verdict for one in results) for verdict in ("passed", "failed", "skipped")}
    return "\n".join([*rows, "", ", ".join(f"{count} {verdict}" for verdict, count in counts.items())])
