"""Verdicts in words, and as exit codes.

python -m reference diff A B
"""

from reference.diff.divergence_curve import Point
from reference.diff.value_text import short
from reference.diff.verdict import Verdict
from reference.errors import InputError
from reference.messages import plain
from reference.terminal import table

EVERY = "every link of every step"


def sentences(first: str, verdicts: dict[str, Verdict]) -> list[str]:
    """The verdict on several runs against the first: one line where all agree, else one each."""
    if all(v.verdict == "identical" for v in verdicts.values()):
        steps = next(iter(verdicts.values())).steps
        return [f"identical: {len(verdicts) + 1} loops, {steps} steps, {EVERY}"]
    return [sentence(f"{first} and {name}", v) for name, v in verdicts.items()]


def sentence(pair: str, v: Verdict) -> str:
    """The verdict on one pair of runs: one line of cause."""
    if v.verdict == "diverged":
        return f"diverged: {pair} part at step {v.step}, link {v.link}: {v.detail}"
    if v.verdict == "incomparable":
        return f"incomparable: {pair}: {v.detail}"
    if v.detail:
        return f"identical {v.detail}: {pair}, {v.steps} steps"
    return f"identical: {pair}, {v.steps} steps, {EVERY}"


def lines(pair: str, v: Verdict) -> list[str]:
    """All that there is to say of one pair: the verdict, notes, what was equal, how it goes on.

    A line each, but for the curve, which is a table of our own.
    """
    found = [sentence(pair, v)]
    if v.step is not None and v.steps:
        links = "every link" if v.every_link else "every link that was compared"
        found.append(f"equal before it: {v.steps} steps, in {links}")
    found = [plain(line) for line in (*found, *v.notes)]
    if len(v.curve) > 1:
        found += ["how the two go on:", curve(v.curve)]
    return found


def curve(points: tuple[Point, ...]) -> str:
    """A table: both losses, how far apart they are, and the gradients' norms."""
    rows = [["step", "loss", "other loss", "apart", "gradient norms apart"]]
    for point in points:
        a, b = point.losses
        apart = "-" if a is None or b is None else f"{abs(a - b):.2g}"
        norms = "-" if point.norms is None else f"{100 * point.norms:.2g} %"
        rows.append([str(point.step), _loss(a), _loss(b), apart, norms])
    return table(rows)


def _loss(loss: float | None) -> str:
    return "-" if loss is None else short(loss)


def exit_code(verdict: Verdict) -> int:
    """The command line's, wherever something was compared."""
    return {"identical": 0, "diverged": 1, "incomparable": InputError.exit_code}[verdict.verdict]
