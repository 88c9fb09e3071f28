"""What is unequal in one link of two steps, and whether it matters by itself.

Used by `python -m reference diff A B`. A difference that does nothing isn't a deviation: a run in
eval mode without dropout is the same run, and so is one with another seed that nothing draws from.
So each unequal field has a weight:

- `hard`: the runs part here;
- `soft`: they part here if a later link of the same step is unequal too (mode, generators, the
  class of the optimizer), and else are the same run;
- `note`: worth a word beside a divergence, never one itself.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reference.diff.value_text import both, distance
from reference.ledger.link_table import GENERATORS, OF_NAME
from reference.ledger.record import Record
from reference.messages import plain

HARD, SOFT, NOTE = "hard", "soft", "note"


@dataclass(frozen=True)
class Unequal:
    """One field of one link, with both values."""

    link: str
    field: str
    left: Any
    right: Any
    weight: str = HARD

    def __str__(self) -> str:
        apart = distance(self.left, self.right)
        return f"{plain(self.field)}: {both(self.left, self.right)}{apart}"


@dataclass(frozen=True)
class RateDifference:
    """Where the learning rates of two runs part, which the steps around a step tell."""

    step: int  # at which they part: the one that is compared, or an earlier one
    unequal: Unequal


@dataclass(frozen=True)
class Pair:
    """The records of one step of two runs, or of one evaluation."""

    left: Record
    right: Record
    names: Sequence[str] = ()  # of the parameters that both runs have, as the first calls them
    rate: RateDifference | None = None


def _same_fields(x: Record, y: Record, names: Sequence[str]) -> None:
    """KeyError for a field that only one side has: what is not there can't be called equal."""
    for name in names:
        if (name in x) != (name in y):
            raise KeyError(name)


def batch(pair: Pair) -> Iterator[Unequal]:
    """Each forward pass's inputs; one that only one side passes may do nothing."""
    left, right = pair.left["batch"], pair.right["batch"]
    if len(left) != len(right):
        yield Unequal("batch", "forward passes", len(left), len(right))
    for i, (x, y) in enumerate(zip(left, right, strict=False)):
        where = f"pass {i + 1}, " if len(left) > 1 else ""
        if x.get("model", 0) != y.get("model", 0):
            yield Unequal("batch", where + "model", x.get("model", 0), y.get("model", 0))
        for name in sorted({*x, *y} - {"tokens", "model"}):
            yield from _input(where + name, x.get(name), y.get(name))


def _input(name: str, x: Any, y: Any) -> Iterator[Unequal]:
    if x is None or y is None:
        there = x if y is None else y
        weight = NOTE if isinstance(there, list) and there[3] is not None else SOFT
        shown = _shape(there) if isinstance(there, list) else there
        left, right = (shown, None) if y is None else (None, shown)
        yield Unequal("batch", name, left, right, weight)
    elif x[:3] != y[:3]:
        same_form = x[1:3] == y[1:3]
        yield Unequal("batch", name, x[0] if same_form else _shape(x), _or_shape(y, same_form))


def _or_shape(value: Any, same_form: bool) -> Any:
    return value[0] if same_form else _shape(value)


def _shape(described: list[Any]) -> str:
    return f"{tuple(described[1])} {described[2]}"


def rng(pair: Pair) -> Iterator[Unequal]:
    """Only of generators that one of the two steps draws from."""
    _same_fields(pair.left["rng"], pair.right["rng"], GENERATORS)
    for name in sorted(pair.left["rng"].keys() & pair.right["rng"].keys()):
        x, y = pair.left["rng"][name], pair.right["rng"][name]
        if x[0] != y[0] and (x[1] or y[1]):
            yield Unequal("rng", name, x[0], y[0], SOFT)


def mode(pair: Pair) -> Iterator[Unequal]:
    """Train or eval, and autocast: they matter where the forward pass then differs."""
    _same_fields(pair.left["mode"], pair.right["mode"], ("training",))
    for field in sorted(pair.left["mode"].keys() | pair.right["mode"].keys()):
        x, y = pair.left["mode"].get(field), pair.right["mode"].get(field)
        if x != y:
            yield Unequal("mode", field, x, y, NOTE if field == "gradients" else SOFT)


def weights(pair: Pair) -> Iterator[Unequal]:
    yield from _tensors("weights", pair.left["weights"], pair.right["weights"], pair.names)
    yield from buffers("weights", pair.left["weights"], pair.right["weights"])


def forward(pair: Pair) -> Iterator[Unequal]:
    """The loss where both show it, and the outputs that both have."""
    for i, (x, y) in enumerate(zip(pair.left["forward"], pair.right["forward"], strict=False)):
        where = f"pass {i + 1}, " if len(pair.left["forward"]) > 1 else ""
        if "loss" in x and "loss" in y and x["loss"] != y["loss"]:
            yield Unequal("forward", where + "loss", x["loss"], y["loss"])
        elif ("loss" in x) != ("loss" in y):
            yield Unequal("forward", where + "loss", x.get("loss"), y.get("loss"), NOTE)
        for name in sorted({*x} & {*y} - {"loss", "model"}):
            if x[name] != y[name]:
                yield _output(where + name, x[name], y[name])


def _output(name: str, x: Any, y: Any) -> Unequal:
    if isinstance(x, list) and isinstance(y, list):
        if x[1] != y[1]:
            return Unequal("forward", f"{name}'s shape", tuple(x[1]), tuple(y[1]))
        if x[0] == y[0]:
            return Unequal("forward", name, x[2], y[2], NOTE)
        differ = [(p, q) for p, q in zip(x[2], y[2], strict=False) if p != q]
        first = differ[0] if differ else (x[0], y[0])
        return Unequal("forward", name, *first)
    return Unequal("forward", name, x, y)


def gradient(pair: Pair) -> Iterator[Unequal]:
    x, y = pair.left["gradient"], pair.right["gradient"]
    passes = x.get("backward_passes"), y.get("backward_passes")
    if passes[0] != passes[1]:
        yield Unequal("gradient", "backward passes", *passes, NOTE)
    if x.get("hash") != y.get("hash"):
        yield Unequal("gradient", "norm", x.get("norm"), y.get("norm"))
        yield from _tensors("gradient", x, y, pair.names)


def clip(pair: Pair) -> Iterator[Unequal]:
    x, y = pair.left["clip"], pair.right["clip"]
    if x["hash"] != y["hash"]:
        for field in ("factor", "norm"):
            if x.get(field) != y.get(field):
                yield Unequal("clip", field, x.get(field), y.get(field))
        yield from _tensors("clip", x, y, pair.names)


def optimizer(pair: Pair) -> Iterator[Unequal]:
    """Hyper-parameters of each parameter; class and way of computing only if the update differs."""
    x, y = pair.left["optimizer"], pair.right["optimizer"]
    for field in ("index", "class"):
        if x[field] != y[field]:
            yield Unequal("optimizer", field, x[field], y[field], SOFT)
    for key in sorted({*x["how"], *y["how"]}):
        if x["how"].get(key) != y["how"].get(key):
            yield Unequal("optimizer", key, x["how"].get(key), y["how"].get(key), SOFT)
    if x["strangers"] != y["strangers"]:
        counts = x["strangers"], y["strangers"]
        yield Unequal("optimizer", "parameters of another model", *counts, NOTE)
    if (x["hyper"], x["of"]) != (y["hyper"], y["of"]):
        yield from _hyper(x, y, pair.names)
    if "beside" in x and "beside" in y and x["beside"] != y["beside"]:
        yield from _beside(x["beside"], y["beside"])
    if pair.rate is not None and pair.rate.unequal.link == "optimizer":
        yield pair.rate.unequal


def _hyper(x: Record, y: Record, names: Sequence[str]) -> Iterator[Unequal]:
    """The first parameter for which each hyper-parameter differs, and for how many it does."""
    found: dict[str, tuple[Unequal, int]] = {}
    for name, i, j in zip(names, x["of"].split(), y["of"].split(), strict=False):
        if i == j and x["hyper"] == y["hyper"]:
            continue
        for field, p, q, weight in _of_parameter(x, y, i, j):
            first, count = found.get(field, (Unequal("optimizer", field, p, q, weight), 0))
            found[field] = (first, count + 1)
            if count == 0 and field == "in no group":
                found[field] = (Unequal("optimizer", f"{name} in no group", p, q, weight), 1)
    for first, count in found.values():
        of = "" if count == len(names) else f" ({count} of {len(names)} parameters)"
        yield Unequal("optimizer", first.field + of, first.left, first.right, first.weight)


def _beside(x: Any, y: Any) -> Iterator[Unequal]:
    """The groups of parameters of no known model, in their order."""
    where = "of a parameter of no model"
    if len(x) != len(y):
        yield Unequal("optimizer", f"groups {where}", len(x), len(y))
    for one, other in zip(x, y, strict=False):
        for field in sorted({*one, *other}):
            if one.get(field) != other.get(field):
                yield Unequal("optimizer", f"{field} {where}", one.get(field), other.get(field))


def _of_parameter(x: Record, y: Record, i: str, j: str) -> Iterator[tuple[str, Any, Any, str]]:
    if not (i.isdigit() and j.isdigit()):
        if i != j and "x" in (i, j):
            yield "in no group", i == "x", j == "x", HARD
        return
    p, q = x["hyper"][int(i)], y["hyper"][int(j)]
    for field in sorted({*p, *q}):
        if p.get(field) != q.get(field):
            on_both = field in p and field in q
            yield field, p.get(field), q.get(field), HARD if on_both else SOFT


def update(pair: Pair) -> Iterator[Unequal]:
    yield from _tensors("update", pair.left["update"], pair.right["update"], pair.names)
    yield from buffers("update", pair.left["update"], pair.right["update"])


def schedule(pair: Pair) -> Iterator[Unequal]:
    """The learning rates of this step; those of the next one are compared at the next one."""
    if pair.rate is not None and pair.rate.unequal.link == "schedule":
        yield pair.rate.unequal


def buffers(link: str, x: Record, y: Record) -> Iterator[Unequal]:
    """What models keep beside their weights; a ledger of before these were recorded has none."""
    left, right = x.get("buffers"), y.get("buffers")
    if left is None or right is None or left["hash"] == right["hash"]:
        return
    p, q = left.get("tensors", {}), right.get("tensors", {})
    unequal = [name for name in p if name in q and p[name] != q[name]]
    if unequal:
        field = f"{len(unequal)} of {len(p)} buffers, first {unequal[0]}"
        yield Unequal(link, field, p[unequal[0]], q[unequal[0]])
        return
    # By other names, in no order: what one run has beside all of the other's does nothing here.
    ours, theirs = Counter(p.values()), Counter(q.values())
    if p and q and (ours < theirs or theirs < ours):
        yield Unequal(link, "number of buffers", len(p), len(q), NOTE)
    else:
        yield Unequal(link, "buffers", left["hash"], right["hash"])


def _tensors(link: str, x: Record, y: Record, names: Sequence[str]) -> Iterator[Unequal]:
    """How many tensors differ, and the first by name, with its norms where they are known."""
    if x.get("hash") == y.get("hash"):
        return
    left, right = x.get("tensors", "").split(), y.get("tensors", "").split()
    triples = zip(names, left, right, strict=False)
    unequal = [(i, n) for i, (n, p, q) in enumerate(triples) if p != q]
    if not unequal:
        yield Unequal(link, "hash", x.get("hash"), y.get("hash"))
        return
    first, name = unequal[0]
    field = f"{len(unequal)} of {len(names)} tensors, first {name}"
    norms = [v.get("norms", "").split() for v in (x, y)]
    pair = [float(n[first]) for n in norms if len(n) > first]
    if len(pair) == 2 and pair[0] != pair[1]:
        yield Unequal(link, field + ", norm", pair[0], pair[1])
    else:  # none there, or other bits that are as long
        yield Unequal(link, field, left[first], right[first])


def metrics(pair: Pair) -> Iterator[Unequal]:
    """Two evaluations: what was predicted, for how many, and the scores that both show."""
    x, y = pair.left["metrics"], pair.right["metrics"]
    if x["count"] != y["count"]:
        yield Unequal("metrics", "count", x["count"], y["count"])
    # Logits of other batches can't be compared: padding moves their bits.
    same = x.get("batches") == y.get("batches") and x["logits"] == y["logits"]
    if x.get("training") != y.get("training") and not same:
        yield Unequal("metrics", "training", x.get("training"), y.get("training"))
    if x["predictions"] != y["predictions"]:
        yield Unequal("metrics", "predictions", x["predictions"], y["predictions"])
    elif x.get("batches") == y.get("batches") and not same:
        yield Unequal("metrics", "logits", x["logits"], y["logits"])
    for name in sorted({*x["scores"]} & {*y["scores"]}):
        if x["scores"][name] != y["scores"][name]:
            yield Unequal("metrics", name, x["scores"][name], y["scores"][name])


Comparator = Callable[[Pair], Iterator[Unequal]]


def one_for_each_link(comparators: dict[str, Comparator]) -> dict[str, Comparator]:
    """The comparators as they are, once it is seen that each link has one.

    Raises:
        LookupError: A link of the table has no comparator, so that `diff` would call it equal; or
            a comparator is of no link, so that nothing would call it.
    """
    missing, superfluous = OF_NAME.keys() - comparators.keys(), comparators.keys() - OF_NAME.keys()
    if missing:
        raise LookupError(
            f"link {', '.join(sorted(missing))}: a row of reference/ledger/link_table.py, and no "
            "comparator in reference/diff/link_comparators.py; write one and name it there"
        )
    if superfluous:
        raise LookupError(
            f"comparator {', '.join(sorted(superfluous))}: named in "
            "reference/diff/link_comparators.py, and no row of reference/ledger/link_table.py"
        )
    return comparators


COMPARATORS = one_for_each_link(
    {
        "batch": batch,
        "rng": rng,
        "mode": mode,
        "weights": weights,
        "forward": forward,
        "gradient": gradient,
        "clip": clip,
        "optimizer": optimizer,
        "update": update,
        "schedule": schedule,
        "metrics": metrics,
    }
)
