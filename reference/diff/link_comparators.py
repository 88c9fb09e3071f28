"""What is unequal in one link of two steps: one comparator for each link.

A comparator takes the pair of records, in both of which its link stands, and gives the unequal
fields. `COMPARATORS`, at the end, names the one of each link.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reference.diff.batch_differences import batch
from reference.diff.evaluation_differences import evaluation
from reference.diff.optimizer_differences import optimizer
from reference.diff.sides import FIRST, SECOND
from reference.diff.tensor_differences import buffers, tensors
from reference.diff.unequal import COUNT, HARD, NOTE, SOFT, Pair, Unequal
from reference.ledger.link_table import GENERATORS, METRICS, OF_NAME
from reference.ledger.odd_modules import reference_to
from reference.ledger.record import Record
from reference.messages import plain

ODD = "modules in another mode (train or eval) than their parent's"
MOST_NAMED = 3  # of them that are named


def rng(pair: Pair) -> Iterator[Unequal]:
    """Only of generators that one of the two steps draws from."""
    left, right = pair.left["rng"], pair.right["rng"]
    _refuse_fields_of_one_side(left, right, GENERATORS)
    for name in sorted(left.keys() & right.keys()):
        (state, drawn), (other_state, other_drawn) = left[name], right[name]
        if state != other_state and (drawn or other_drawn):
            yield Unequal("rng", name, state, other_state, SOFT)


def mode(pair: Pair) -> Iterator[Unequal]:
    """Train or eval, and autocast: they matter where the forward pass then differs."""
    left, right = pair.left["mode"], pair.right["mode"]
    _refuse_fields_of_one_side(left, right, ("training",))
    for field in sorted(left.keys() | right.keys()):
        values = left.get(field), right.get(field)
        if field == "odd":
            if _reference(values[0]) == _reference(values[1]):
                continue
            of_runs = [plain(_modules(names)) for names in values]
            words = f"{of_runs[0]} in {FIRST}, {of_runs[1]} in {SECOND}"
            yield Unequal("mode", ODD, *values, SOFT, words=words)
        elif field != "later" and values[0] != values[1]:
            yield Unequal("mode", field, *values, NOTE if field == "gradients" else SOFT)
    passes = max(len(each.get("later", ())) for each in (left, right))
    pairs = zip(_later(left, passes), _later(right, passes), strict=False)
    for number, (x, y) in enumerate(pairs, 2):
        for field in ("training", "autocast"):
            if x.get(field) != y.get(field):
                yield Unequal("mode", field, x.get(field), y.get(field), SOFT, number)


def _later(mode: Record, passes: int) -> list[Record]:
    """The modes of the passes after the first; not listed where they are all the first's."""
    modes: list[Record] = mode.get("later", [mode] * passes)
    return modes


def _reference(odd: Any) -> Any:
    """A list of modules, or what refers to it, as what refers to it."""
    return reference_to(odd) if isinstance(odd, list) else odd


def _modules(names: Any) -> str:
    """As in 'backbone.1, backbone.4 and 3 more'; 'none' where there are none."""
    if isinstance(names, str):
        return names.split()[0]  # their number: the list is in a step that wasn't read
    if not names:
        return "none"
    most = len(names) if len(names) == MOST_NAMED + 1 else MOST_NAMED
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _refuse_fields_of_one_side(left: Record, right: Record, names: Sequence[str]) -> None:
    """KeyError for a field that only one side has: what is not there can't be called equal."""
    for name in names:
        if (name in left) != (name in right):
            raise KeyError(name)


def weights(pair: Pair) -> Iterator[Unequal]:
    """The parameters before the step, and the buffers."""
    left, right = pair.left["weights"], pair.right["weights"]
    yield from tensors("weights", left, right, pair.names)
    yield from buffers("weights", left, right)


def forward(pair: Pair) -> Iterator[Unequal]:
    """The loss where both show it, and the outputs that both have.

    Of other numbers of passes nothing is decided by outputs: they are of other parts of a model.
    """
    left, right = pair.left["forward"], pair.right["forward"]
    if len(left) != len(right):
        return
    for number, (x, y) in enumerate(zip(left, right, strict=False), 1):
        of_pass = number if len(left) > 1 else None
        if x.get("loss") != y.get("loss") or ("loss" in x) != ("loss" in y):
            weight = HARD if "loss" in x and "loss" in y else NOTE
            yield Unequal("forward", "loss", x.get("loss"), y.get("loss"), weight, of_pass)
        for name in sorted({*x} & {*y} - {"loss", "model"}):
            if x[name] != y[name]:
                yield _output(name, x[name], y[name], of_pass)


def _output(name: str, x: Any, y: Any, of_pass: int | None) -> Unequal:
    """An output that is unequal; where it holds several values, the first unequal one."""
    if not (isinstance(x, list) and isinstance(y, list)):
        return Unequal("forward", name, x, y, HARD, of_pass)
    if x[1] != y[1]:
        return Unequal("forward", f"{name}'s shape", tuple(x[1]), tuple(y[1]), HARD, of_pass)
    if x[0] == y[0]:
        return Unequal("forward", name, x[2], y[2], NOTE, of_pass)
    differing = [(p, q) for p, q in zip(x[2], y[2], strict=False) if p != q]
    left, right = differing[0] if differing else (x[0], y[0])
    return Unequal("forward", name, left, right, HARD, of_pass)


def gradient(pair: Pair) -> Iterator[Unequal]:
    """What is accumulated after the last backward pass."""
    left, right = pair.left["gradient"], pair.right["gradient"]
    passes = left.get("backward_passes"), right.get("backward_passes")
    if passes[0] != passes[1]:
        yield Unequal("gradient", "backward passes", *passes, NOTE)
    if left.get("hash") != right.get("hash"):
        if left.get("norm") != right.get("norm"):
            yield Unequal("gradient", "norm", left.get("norm"), right.get("norm"))
        yield from tensors("gradient", left, right, pair.names)


def clip(pair: Pair) -> Iterator[Unequal]:
    """The gradients that the optimizer gets."""
    left, right = pair.left["clip"], pair.right["clip"]
    if left["hash"] != right["hash"]:
        for field in ("factor", "norm"):
            if left.get(field) != right.get(field):
                yield Unequal("clip", field, left.get(field), right.get(field))
        yield from tensors("clip", left, right, pair.names)


def update(pair: Pair) -> Iterator[Unequal]:
    """The parameters after the step, and the buffers."""
    left, right = pair.left["update"], pair.right["update"]
    yield from tensors("update", left, right, pair.names)
    yield from buffers("update", left, right)


def schedule(pair: Pair) -> Iterator[Unequal]:
    """The learning rates of this step; those of the next one are compared at the next one."""
    if pair.rate is not None:
        yield pair.rate.unequal


def metrics(pair: Pair) -> Iterator[Unequal]:
    """Two evaluations: what was predicted, for how many rows, and the scores that both show."""
    left, right = pair.left["metrics"], pair.right["metrics"]
    if "outputs" in left and "outputs" in right:
        yield from evaluation(pair)
        return
    if left["count"] != right["count"]:
        yield Unequal(METRICS, COUNT, left["count"], right["count"])
    # Logits of other batches can't be compared: padding moves their bits.
    same_batches = left.get("batches") == right.get("batches")
    same = same_batches and left.get("logits") == right.get("logits")
    if left.get("training") != right.get("training") and not same:
        yield Unequal(METRICS, "training", left.get("training"), right.get("training"))
    of_two_schemas = "outputs" in left or "outputs" in right  # predictions are hashed in two ways
    if left["predictions"] != right["predictions"] and not of_two_schemas:
        yield Unequal(METRICS, "predictions", left["predictions"], right["predictions"])
    elif same_batches and not same and not of_two_schemas:
        yield Unequal(METRICS, "logits", left.get("logits"), right.get("logits"))
    scores, other_scores = left["scores"], right["scores"]
    for name in sorted(scores.keys() & other_scores.keys()):
        if scores[name] != other_scores[name]:
            yield Unequal(METRICS, name, scores[name], other_scores[name])


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
        METRICS: metrics,
    }
)
