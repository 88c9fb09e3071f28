"""Train or eval, and autocast: of the model, of its parts, and of a model beside it."""

from collections.abc import Iterator

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, some
from reference.diff.link_comparators import ODD
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import Unequal
from reference.ledger.record import Record
from reference.messages import plain

FROZEN = "requires_grad"  # a setting: for which parts it is off
BESIDE = ", which doesn't train: "  # between a model's name and what is unequal of it
MODES = {True: "train", False: "eval"}


def mode_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    for each in case.unequal("mode"):
        model, _, field = each.field.rpartition(BESIDE)
        if field == "training" and isinstance(each.left, bool):
            yield _training(each, case, plain(model))
        elif field == "autocast":
            yield _autocast(each, plain(model))
        elif field == ODD:
            yield _odd(each, case)


def _training(each: Unequal, case: Case, model: str) -> LikelyCause:
    side = int(not each.left)  # the run in train mode
    trains, evaluates = RUNS[side], RUNS[1 - side]
    if model:
        return LikelyCause(
            "mode-beside",
            f"{model}, a second model that doesn't train (a reference or a teacher), is in train "
            f"mode in {trains} and in eval mode in {evaluates}: its dropout is on in {trains}",
            f"call .eval() on it in {trains}, and again after any .train() of what holds it",
        )
    since = "" if case.step == 1 else f", from step {case.step} on"
    return LikelyCause(
        "mode",
        f"{trains} trains in train mode, {evaluates} in eval mode{since}: without dropout, and "
        "with BatchNorm's stored statistics",
        f"call model.train() in {evaluates} before training, and again after each evaluation",
    )


def _autocast(each: Unequal, model: str) -> LikelyCause:
    off = [value == "off" for value in (each.left, each.right)]
    whose = f"{model} computes" if model else "the forward pass computes"
    said = [
        f"in {run} without autocast (float32)" if is_off else f"in {plain(str(value))} in {run}"
        for run, value, is_off in zip(RUNS, (each.left, each.right), off, strict=True)
    ]
    return LikelyCause(
        "autocast",
        f"{whose} {said[0]} and {said[1]}",
        "look at torch.autocast, and at bf16, fp16 and mixed_precision",
    )


def _odd(each: Unequal, case: Case) -> LikelyCause:
    """Parts that are in another mode than the whole."""
    left, right = each.left, each.right
    if not (isinstance(left, list) and isinstance(right, list)):
        return LikelyCause(
            "part-mode",
            f"different parts of the model are in another mode than the whole in {FIRST} and in "
            f"{SECOND}",
            "look at .train() and .eval() of the model's parts",
        )
    pair = case.pair
    only = [
        [str(name) for name in own if name not in other]
        for own, other in ((left, right), (right, left))
    ]
    side = int(not only[0])
    training = bool((pair[side].get("mode") or {}).get("training"))
    here, there = MODES[not training], MODES[training]
    names = only[side]
    norms = _batch_norms(pair[side], names)
    run, other = RUNS[side], RUNS[1 - side]
    what = (
        f" ({some(norms, 2)} and so on: BatchNorm uses the batch's statistics, and updates its "
        f"own, in train mode only)"
        if norms
        else ", so that dropout is on in train mode only"
    )
    late = run if here == "train" else other
    frozen = _are_frozen(names, case)
    lacks = f"{late} lacks .eval() on {some(names)} after model.train(), which sets all parts"
    told = {True: "; its parameters are frozen in both (requires_grad=False)", None: ""}.get(
        frozen, "; its parameters are trained in both"
    )
    if frozen and norms:
        told += f", its running statistics aren't in {late}"
    return LikelyCause(
        "part-mode",
        f"{some(names)} {'is' if len(names) == 1 else 'are'} in {here} mode in {run}, and in "
        f"{there} mode as all else of the model in {other}{what}{told}",
        lacks if frozen else f"if it should be frozen: {lacks}",
    )


def _are_frozen(names: list[str], case: Case) -> bool | None:
    """Whether no parameter of these parts is trained in either run; None where that differs."""
    told = {str(settings.get(FROZEN, "")) for settings in case.settings()}
    if len(told) > 1 or told == {""}:
        return None
    off, _, parts = told.pop().partition(" for ")
    off_for = parts.split(", ") if off == "off" else []
    each = {
        off_for == ["all"] or any(name == p or name.startswith(f"{p}.") for p in off_for)
        for name in names
    }
    return each.pop() if len(each) == 1 else None


def _batch_norms(record: Record, names: list[str]) -> list[str]:
    """The layers with running statistics among these parts."""
    buffers = ((record.get("weights") or {}).get("buffers") or {}).get("tensors", {})
    layers = [n.removesuffix(".running_mean") for n in buffers if n.endswith(".running_mean")]
    return [n for n in layers if any(n == part or n.startswith(f"{part}.") for part in names)]
