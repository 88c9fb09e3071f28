"""Unequal gradients: left from before, missing, scaled, or of another loss."""

from collections.abc import Iterator
from math import isclose, log2, prod

from reference.diff.batch_differences import more
from reference.diff.causes.case import Case
from reference.diff.causes.labels import CAUSAL
from reference.diff.causes.likely_cause import LikelyCause, some
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record

NEAR = 1e-4  # relative; norms of tensors have 7 digits
ENOUGH = 2  # tensors whose norms have one ratio: that of a single one tells no factor
NOT_SEEN = (
    "; the model is given no labels, so that these, and what the script makes of them, aren't in "
    "the ledgers"
)
SHIFTS = (
    ". One of the two may not shift them against the logits: ",
    " does that in its own loss, which neither uses",
)
LEAST_SCALE = 16  # a power of two from here on is a loss scaler's


def gradient_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    yield from _not_zeroed(case)
    yield from _missing(case)
    yield from _scaled(case)
    yield from _zeroed_at_another_place(case)


def _zeroed_at_another_place(case: Case) -> Iterator[LikelyCause]:
    """Gradients that an optimizer's step didn't leave: of parameters that it doesn't have yet."""
    left, right = (each.zeroed for each in case.earlier)
    if case.step == 1 or left is None or right is None or left == right or any(_not_zeroed(case)):
        return
    side = int(left)
    yield LikelyCause(
        "not-zeroed",
        f"{RUNS[side]} doesn't zero its gradients right after step {case.step - 1}, as "
        f"{RUNS[1 - side]} does: where they are still there in the backward pass, it adds to them",
        f"call zero_grad() in {RUNS[side]} on every model, also for parameters that its optimizer "
        "doesn't have yet",
    )


def _not_zeroed(case: Case) -> Iterator[LikelyCause]:
    left, right = _zeroed(case)
    if case.step == 1 or left is None or right is None or left == right:
        return
    side, names = int(left), _names(case)
    what = _model_of(names, case) or "its gradients"
    yield LikelyCause(
        "not-zeroed",
        f"{RUNS[side]} doesn't zero {what} after step {case.step - 1}, and adds "
        f"those of step {case.step} to them; {RUNS[1 - side]} zeroes them",
        f"call zero_grad() in {RUNS[side]} before each backward(), on every optimizer whose "
        "parameters get gradients (also those of a model that another loss goes through)",
    )


def _zeroed(case: Case) -> list[bool | None]:
    """Whether either run's gradients were zero when the first backward pass of the step began.

    Where that isn't known, whether they were when the step before was over: a loop may zero them
    between the two.
    """
    counts = [(record.get("chores") or {}).get("unzeroed", 0) for record in case.pair]
    if all(
        "chores" in record and type(n) is int for record, n in zip(case.pair, counts, strict=True)
    ):
        return [count == 0 for count in counts]
    return [each.zeroed for each in case.earlier]


def _model_of(names: list[str], case: Case) -> str:
    """Which model's they are, of several."""
    numbers = {n.partition(".")[0] if n.startswith("model") else "" for n in names}
    number = numbers.pop() if len(numbers) == 1 else ""
    index = int(number.removeprefix("model") or 0) if number[5:].isdigit() or not number else -1
    if len(case.kinds) < 2 or not 0 <= index < len(case.kinds):
        return ""
    place = {0: "first", 1: "second", 2: "third"}.get(index, f"{index + 1}th")
    return f"the gradients of its {place} model ({case.kinds[index]}: {some(names, 2)})"


def _tensors(case: Case, link: str = "gradient") -> list[tuple[str, str, str]]:
    lists = [str((r.get(link) or {}).get("tensors", "")).split() for r in case.pair]
    return list(zip(case.names, *lists, strict=False))


def _names(case: Case) -> list[str]:
    return [name for name, x, y in _tensors(case) if x != y]


def _norms(record: Record, link: str = "gradient") -> list[float]:
    return [float(n) for n in str((record.get(link) or {}).get("norms", "")).split()]


def _missing(case: Case) -> Iterator[LikelyCause]:
    """Tensors without a gradient in one run: no zeros, but none."""
    unequal = [(place, t) for place, t in enumerate(_tensors(case)) if t[1] != t[2]]
    for side in (0, 1):
        of_side = [t[1 + side] == ABSENT and t[2 - side] != ABSENT for _, t in unequal]
        if not of_side or not all(of_side):
            continue
        without, having = RUNS[side], RUNS[1 - side]
        names = [t[0] for _, t in unequal]
        norms = _norms(case.pair[1 - side])
        which = f"{len(names)} of {len(case.names)} parameters ({some(names)})"
        if all(place < len(norms) and norms[place] == 0 for place, _ in unequal):
            yield LikelyCause(
                "none-or-zero",
                f"{which} have no gradient (None) in {without} and a gradient of zeros in "
                f"{having}: with zeros an optimizer still moves them, by momentum and weight decay",
                f"use zero_grad(set_to_none=True), torch's default, in {having}, too",
            )
        else:
            yield LikelyCause(
                "no-gradient",
                f"{which} have no gradient in {without}, and one in {having}: they aren't trained "
                f"in {without}",
                "frozen (requires_grad=False), detached (.detach(), no_grad()), or not used in "
                "the loss",
            )


def _scaled(case: Case) -> Iterator[LikelyCause]:
    """All gradients so many times as large."""
    ratio = _ratio(case)
    if ratio is None:
        return
    side = int(ratio > 1)  # whose are larger
    times = max(ratio, 1 / ratio)
    whole = round(times)
    exact = isclose(times, whole, rel_tol=NEAR)
    shown = str(whole) if exact else f"{times:.4g}"
    said = f"{RUNS[side]}'s gradients are {shown} times {RUNS[1 - side]}'s, in every parameter"
    rows, labels = _counts(case.pair[0])
    passes = (case.pair[0].get("gradient") or {}).get("backward_passes")
    if exact and passes is not None and passes > 1 and whole == passes:
        yield LikelyCause(
            "loss-not-divided",
            f"{said}: as many as the step has batches ({passes}); {RUNS[side]} adds up what "
            f"{RUNS[1 - side]} averages",
            f"divide the loss by gradient_accumulation_steps, once, in {RUNS[side]}",
        )
    elif exact and whole in (rows, labels):
        what = f"rows of the batch ({rows})" if whole == rows else f"labels ({labels})"
        yield LikelyCause(
            "loss-summed",
            f"{said}: as many as the {what}; {RUNS[side]} sums the loss, {RUNS[1 - side]} averages "
            "it",
            'look at the reduction ("sum" or "mean") of the loss, and at what it is divided by',
        )
    elif exact and whole >= LEAST_SCALE and log2(whole).is_integer():
        yield LikelyCause(
            "loss-scale",
            f"{said}: a loss scaler's factor",
            "look at GradScaler: scale(), unscale_() and its init_scale",
        )
    elif not exact and sum(map(bool, _norms(case.pair[0]))) < ENOUGH:
        yield LikelyCause(
            "loss-function",
            f"{FIRST} and {SECOND} compute different losses from equal outputs: the norm of the "
            f"one gradient is {shown} times as large in {RUNS[side]}, which need be no factor",
            "look at the loss's weight, its reduction, and at its function",
        )
    else:
        yield LikelyCause(
            "loss-scale",
            f"{said}, beside equal outputs: the loss has another factor",
            "look at the loss's weight, its reduction, and what it is divided by",
        )


def _ratio(case: Case) -> float | None:
    """The second run's norms by the first's, where all tensors have the same ratio."""
    left, right = map(_norms, case.pair)
    if len(left) != len(right) or not left:
        return None
    if any((x == 0) != (y == 0) for x, y in zip(left, right, strict=True)):
        return None
    ratios = [y / x for x, y in zip(left, right, strict=True) if x]
    if not ratios or isclose(ratios[0], 1, rel_tol=NEAR):
        return None
    return ratios[0] if all(isclose(r, ratios[0], rel_tol=NEAR) for r in ratios) else None


def _counts(record: Record) -> tuple[int | None, int | None]:
    """How many rows a step's first batch has, and how many labels that count."""
    first = (record.get("batch") or [{}])[0]
    inputs = {name: value for name, value in first.items() if isinstance(value, list)}
    rows = next((value[1][0] for value in inputs.values() if value[1]), None)
    for name, value in inputs.items():
        if "label" in name:
            return rows, prod(value[1]) - int(more(value).get("ignored", 0))
    return rows, None


def of_another_loss(case: Case) -> LikelyCause:
    """What is left where inputs, weights and outputs are equal and the gradients aren't."""
    told = any(
        "label" in name
        for record in case.pair
        for each in record.get("batch") or []
        for name in each
    )
    causal = next((kind for kind in case.kinds if kind.endswith(CAUSAL)), None)
    shift = f"{SHIFTS[0]}{causal}{SHIFTS[1]}" if causal and not told else ""
    return LikelyCause(
        "loss-function",
        f"{FIRST} and {SECOND} have different loss functions: inputs, weights and outputs are "
        "equal, the gradients aren't, and not by one factor" + ("" if told else NOT_SEEN) + shift,
        "look at how the script computes its loss from the outputs: are labels shifted against "
        "the logits in both, are the same places left out (padding, -100), and are "
        "label_smoothing, class weights and added terms the same",
    )
