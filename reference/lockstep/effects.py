"""What each difference does by itself: B with A's in the place of all others, and where it ends.

    python -m reference lockstep --effects A.py -- B.py

Each is a run of both of its own. B goes its own way in it: its steps aren't put right by A's
results, as they are where the list is made.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from reference.ledger.record import Record
from reference.lockstep.differences import Difference
from reference.lockstep.links import LINKS
from reference.lockstep.pair import PairRun

# What is put in place as it was told, and not as it was computed.
TOLD = tuple(link for link in LINKS if link not in ("gradient", "update"))
AS_IT_IS = "B as it is"
Run = Callable[[Collection[str], Collection[str]], PairRun]  # given `put` and `leave_out`


@dataclass(frozen=True)
class Effect:
    """Where B ends.

    Attributes:
        what: Of B that is left as it is.
        loss: The last one of A and of B.
        apart: The 2-norm of the weights' difference by that of A's weights.
        furthest: The largest difference of a weight.
        scores: Of A's and B's last evaluation.
        failure: Why there is nothing of these.
    """

    what: str
    loss: tuple[float | None, float | None] = (None, None)
    apart: float = 0.0
    furthest: float = 0.0
    scores: tuple[Record, Record] = ({}, {})
    failure: str = ""


def effect_of(run: PairRun, what: str, failure: str) -> Effect:
    """The effect that a run has shown."""
    final: dict[str, Any] = (run.sides[1].end or {}).get("final", {})
    if failure or not final:
        return Effect(what, failure=failure or "one of them ends earlier")
    loss, scores, weights = final["loss"], final["scores"], final["weights"]
    return Effect(
        what,
        loss=(loss[0], loss[1]),
        apart=weights["apart"],
        furthest=weights["furthest"],
        scores=(scores[0], scores[1]),
    )


def effects(
    differences: Sequence[Difference],
    run: Run,
    failure_of: Callable[[PairRun], str],
    tell: Callable[[str], None] = lambda _: None,
) -> list[Effect]:
    """Of nothing put in place, and of each difference alone.

    Args:
        differences: Between the two.
        run: Runs both once more.
        failure_of: Says why a run came to nothing; '' where it didn't.
        tell: Is told which run begins, of how many, and the time left.
    """
    total = 1 + sum(_put_as(each) is not None for each in differences)
    done, began = 0, time.monotonic()

    def run_next(what: str, put: Collection[str], leave_out: Collection[str]) -> PairRun:
        nonlocal done
        seconds = time.monotonic() - began
        left = f"; about {seconds / done * (total - done):.0f} s left" if done else ""
        tell(f"run {done + 1} of {total}: {what}{left}")
        done += 1
        return run(put, leave_out)

    alone = run_next(AS_IT_IS, (), ())
    found = [effect_of(alone, AS_IT_IS, failure_of(alone))]
    for number, each in enumerate(differences, 1):
        what = f"{number}. {each.link}, {each.field}"
        left = _put_as(each)
        if left is None:
            found.append(Effect(what, failure="can't be left alone: it stays in all of these rows"))
            continue
        shown = run_next(what, TOLD, [left])
        found.append(effect_of(shown, what, failure_of(shown)))
    return found


def _put_as(difference: Difference) -> str | None:
    """What isn't put in place where it is to stay, as 'link/field'; None where nothing is."""
    link, field = difference.link, difference.field
    if link == "batch" and not field.startswith(("argument ", "given ")):
        return None if field in ("passes",) else f"{link}/values"
    if link == "weights" and field in ("changed between steps", "of another model"):
        return f"{link}/tensors"
    if link == "clip":
        return f"{link}/norm"
    is_told = {
        "batch": True,
        "rng": True,
        "mode": True,
        "weights": field != "parameters alone",
        "forward": field not in ("outputs", "loss"),
        "zeroed": field == "zeroed",
        "schedule": True,
        "optimizer": field not in ("class", "state"),
    }
    return f"{link}/{field}" if is_told.get(link) else None


def rows(found: Sequence[Effect]) -> list[list[str]]:
    """A table of them; the first row is its head, the second is A's."""
    names = list(dict.fromkeys(name for e in found for name in e.scores[0]))
    head = ["what of B is left", "last loss", "weights apart", *names]
    known = next((e for e in found if not e.failure), None)
    if known is None:
        return [head]
    own = [_number(known.scores[0].get(name)) for name in names]
    table = [head, ["nothing: A's run", _number(known.loss[0]), "0", *own]]
    for each in found:
        if each.failure:
            table.append([each.what, each.failure, "", *("" for _ in names)])
            continue
        scores = [_number(each.scores[1].get(name)) for name in names]
        table.append([each.what, _number(each.loss[1]), f"{each.apart:.2%}", *scores])
    return table


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
