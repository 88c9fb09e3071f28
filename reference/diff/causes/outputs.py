"""Outputs that are unequal though inputs and weights are equal; and random numbers."""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import isclose, prod
from typing import Any

from reference.diff.argument_differences import other_arguments
from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, in_both
from reference.diff.setting_differences import OtherSetting, other_settings
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import HARD
from reference.diff.value_text import distance, short
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record
from reference.messages import plain

EFFECTS = ("forward", "gradient", "update", METRICS)
SHOWN = 4  # arguments, or settings
SUM = 1e-4  # absolute: how near to 1 probabilities add up, of bf16 too
BEFORE = ", as in the step before, which was equal all the same"
FROZEN = "requires_grad"
ADVICE = {
    "p": "p is the probability of dropout: set it alike where the layer, or its config, is made",
    FROZEN: "look at what freezes or thaws parameters",
    "num_items_in_batch": "the loss is divided by it: one run averages over all labels of the "
    "step, the other over each batch",
}


def told_causes(case: Case) -> Iterator[LikelyCause]:
    """What modules are set to, and arguments of forward passes: what is new before what isn't."""
    if not any(u.link in EFFECTS and u.weight == HARD for u in case.divergence.unequal):
        return
    now = case.settings()
    if any(now) and not all(now):
        return  # one is a ledger from before this was recorded
    known = case.earlier[0].settings, case.earlier[1].settings
    settings = list(other_settings(now, known, case.renamed))
    before = case.earlier[0].arguments, case.earlier[1].arguments
    arguments = list(islice(other_arguments(case.pair, before), SHOWN))
    found = [
        *((each.before, _argument(each.name, each, each.forward_pass)) for each in arguments),
        *((each.before, _setting(each, case.kinds)) for each in settings[:SHOWN]),
    ]
    yield from (cause for _, cause in sorted(found, key=lambda pair: pair[0]))
    if len(settings) > SHOWN:
        more = f"{len(settings) - SHOWN} more are set differently, in the ledgers' field settings"
        yield LikelyCause("more-settings", more)


def _argument(name: str, each: Any, forward_pass: int | None) -> LikelyCause:
    of_pass = f"of pass {forward_pass} " if forward_pass is not None else ""
    values = f"{in_both(each.left, each.right)}{distance(each.left, each.right)}"
    said = f"argument {plain(name)} {of_pass}is {values}{BEFORE if each.before else ''}"
    return LikelyCause("argument", said, "" if each.before else ADVICE.get(name, ""))


def _setting(each: OtherSetting, kinds: Sequence[str]) -> LikelyCause:
    field = each.name.rpartition(".")[2]
    values = f"{in_both(each.left, each.right)}{distance(each.left, each.right)}"
    if each.usual is not None:
        like = [
            run for run, v in zip(RUNS, (each.left, each.right), strict=True) if v == each.usual
        ]
        values += f"; the class's default is {short(each.usual)}" + (
            ", as in " + like[0] if like else ""
        )
    before = BEFORE if each.before else ""
    # A loss goes by its class's name, so that both have the same one; a part by its path.
    of_loss = each.name[:1].isupper()
    if None in (each.left, each.right) and "." in each.name and not of_loss:
        return _of_one_module(each)
    if field == FROZEN:
        of_model = f" of {plain(each.name.rpartition('.')[0])}" if "." in each.name else ""
        said = f"different parameters{of_model} are trained: {FROZEN} is {values}{before}"
        return LikelyCause("frozen", said, ADVICE[FROZEN])
    whose = "" if "." in each.name or not kinds else f"{plain(kinds[0])}'s "
    alike = f"set {plain(field)} alike where the module, or its config, is made"
    advice = "" if before else ADVICE.get(field, alike)
    return LikelyCause("setting", f"{whose}{plain(each.name)} is {values}{before}", advice)


def _of_one_module(each: OtherSetting) -> LikelyCause:
    """A setting that one run's module lacks: it is no setting that is unequal, but the module."""
    module, _, field = plain(each.name).rpartition(".")
    side = int(each.left is None)
    value = short(each.right if side else each.left)
    before = BEFORE if each.before else ""
    return LikelyCause(
        "other-module",
        f"{module} isn't the same module in both: it has {field} ({value}) in {RUNS[side]}, and "
        f"nothing of that name in {RUNS[1 - side]}{before}",
        "" if before else f"look at which class of module stands at {module} in both",
    )


def forward_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first, beside what modules are set to."""
    passes = next((u.forward_pass for u in case.unequal("forward")), None) or 1
    outputs = [_of_pass(record, passes) for record in case.pair]
    yield from _loss_alone(case, *outputs)
    yield from _probabilities(*outputs)
    yield from _drew(case)
    yield from _shape(case)


def _of_pass(record: Record, number: int) -> Record:
    passes: list[Record] = record.get("forward") or []
    return passes[number - 1] if len(passes) >= number else {}


def _loss_alone(case: Case, left: Record, right: Record) -> Iterator[LikelyCause]:
    """Equal outputs and another loss: what lies between them."""
    names = {u.field for u in case.unequal("forward")}
    if names != {"loss"} or not any(isinstance(v, list) for v in left.values()):
        return
    x, y = left.get("loss"), right.get("loss")
    if not (isinstance(x, int | float) and isinstance(y, int | float) and x and y):
        return
    times = max(abs(x / y), abs(y / x))
    whole, side = round(times), int(abs(y) > abs(x))
    rows = next((v[1][0] for v in left.values() if isinstance(v, list) and v[1]), None)
    said = f"the outputs are equal, the loss isn't: {in_both(x, y)}"
    if whole > 1 and isclose(times, whole, rel_tol=SUM):
        many = f"{whole} times" + (", as many as the batch has rows" if whole == rows else "")
        yield LikelyCause(
            "loss-summed" if whole == rows else "loss-scale",
            f"{said} ({many}): {RUNS[side]} sums what {RUNS[1 - side]} averages, or multiplies it",
            "look at the reduction of the loss, and at what it is divided by",
        )
    else:
        yield LikelyCause(
            "loss-function",
            f"{said}: {FIRST} and {SECOND} make different losses of them",
            "look at the loss function: labels, label_smoothing, class weights, ignore_index, "
            "masks, an added term",
        )


def _probabilities(left: Record, right: Record) -> Iterator[LikelyCause]:
    """A softmax or a sigmoid at the end of one run's model alone."""
    for name, x in left.items():
        y = right.get(name)
        if not (isinstance(x, list) and isinstance(y, list) and x[0] != y[0]):
            continue
        of_rows = [_add_up_to_one(each) for each in (x, y)]
        within = [_within_one(each) for each in (x, y)]
        for side in (0, 1):
            if of_rows[side] and not of_rows[1 - side]:
                yield LikelyCause(
                    "softmax",
                    f"{RUNS[side]}'s {plain(name)} are probabilities (each row adds up to 1), "
                    f"{RUNS[1 - side]}'s are not: {RUNS[side]}'s model ends with a softmax",
                    "cross_entropy takes logits and has a softmax of its own: leave the model's "
                    f"out in {RUNS[side]}",
                )
                return
            if within[side] and within[1 - side] is False:
                yield LikelyCause(
                    "sigmoid",
                    f"{RUNS[side]}'s {plain(name)} all lie between 0 and 1, {RUNS[1 - side]}'s "
                    f"don't: {RUNS[side]}'s model ends with a sigmoid (or a softmax)",
                    "a loss with logits has a sigmoid of its own: leave the model's out",
                )
                return


def _values(output: list[Any]) -> list[float] | None:
    """All of an output's values; None where the ledger has their mean alone."""
    numbers = [v for v in output[2] if isinstance(v, int | float)]
    return numbers if len(numbers) == prod(output[1]) > 1 else None


def _add_up_to_one(output: list[Any]) -> bool:
    values = _values(output)
    if values is None or len(output[1]) < 2 or output[1][-1] < 2 or min(values) < 0:
        return False
    width = output[1][-1]
    sums = [sum(values[start : start + width]) for start in range(0, len(values), width)]
    return all(isclose(each, 1, abs_tol=SUM) for each in sums)


def _within_one(output: list[Any]) -> bool | None:
    values = _values(output)
    return None if values is None else all(0 < v < 1 for v in values)


def _drew(case: Case) -> Iterator[LikelyCause]:
    """Generators that one run's step drew from, and the other's didn't."""
    left, right = (record.get("rng") or {} for record in case.pair)
    names = [name for name in left if name in right and bool(left[name][1]) != bool(right[name][1])]
    if names:
        side = int(not left[names[0]][1])
        yield LikelyCause(
            "dropout",
            f"{RUNS[side]}'s step drew random numbers ({', '.join(map(plain, names))}), and "
            f"{RUNS[1 - side]}'s none: dropout in {RUNS[side]} only, say",
            "look at dropout, attention_dropout, noise, and train() or eval()",
        )


def _shape(case: Case) -> Iterator[LikelyCause]:
    for each in case.unequal("forward"):
        if each.field.endswith("'s shape"):
            yield LikelyCause(
                "output-shape", f"{plain(each.field)} is {in_both(each.left, each.right)}"
            )


def inside_the_model() -> LikelyCause:
    """What is left where inputs, weights, generators and modes are equal, and outputs aren't."""
    return LikelyCause(
        "inside-the-model",
        f"{FIRST}'s and {SECOND}'s models compute different things inside their forward pass: "
        "inputs, weights, random numbers and modes are equal",
        "look at forward() itself, an activation or pooling, a kernel or an attention "
        "implementation, a mask that it makes",
    )


def generator_causes(case: Case) -> Iterator[LikelyCause]:
    """Random numbers that stand elsewhere before a step."""
    for each in case.unequal("rng"):
        name = plain(each.field)
        if case.step == 1:
            yield LikelyCause(
                "seed",
                f"{FIRST} and {SECOND} have different random numbers ({name}) in the first step: "
                "dropout and the like draw different masks",
                "a different seed, no seed, or something that drew before: a new layer, a shuffled "
                "DataLoader",
            )
        else:
            yield LikelyCause(
                "generator",
                f"between step {case.step - 1} and step {case.step} one run drew more random "
                f"numbers ({name}) than the other, or set them anew",
                "an evaluation, iter(DataLoader), a new layer or a set_seed in one of them; of a "
                "resumed run: its generators weren't put back",
            )
        return
