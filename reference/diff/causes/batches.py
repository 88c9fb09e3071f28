"""Unequal inputs: which rows, in which order, how padded, with which labels."""

from collections.abc import Iterator
from typing import Any

from reference.diff.batch_differences import more, rows
from reference.diff.causes.case import Case
from reference.diff.causes.epochs import batch_again, rows_changed
from reference.diff.causes.labels import label_causes
from reference.diff.causes.likely_cause import LikelyCause, in_both
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import FORWARD_PASSES, HARD, Unequal
from reference.ledger.record import Record
from reference.messages import plain

MASKS = ("attention_mask", "token_type_ids")


def batch_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    if case.divergence.left.get("kind") != "step":
        return
    unequal = case.unequal("batch")
    hard = [u for u in unequal if u.weight == HARD]
    yield from _other_number(case, unequal)
    yield from _of_one_run(unequal, hard)
    x, y = _inputs(case, unequal)
    shared = [n for n in x if isinstance(x[n], list) and isinstance(y.get(n), list)]
    names = [n for n in shared if x[n][:3] != y[n][:3]]
    same = [
        n for n in shared if n not in MASKS and (x[n][:3] == y[n][:3] or _same_rows(x[n], y[n]))
    ]
    yield from batch_again(case)
    yield from _other_form(x, y, names)
    yield from label_causes(x, y, names, same, case.kinds)
    yield from _masked(x, y, names)
    yield from _padding(x, y, names)
    yield from _rows(case, x, y, names)


def _inputs(case: Case, unequal: list[Unequal]) -> tuple[Record, Record]:
    """The inputs, by name, of the first pass in which they are unequal."""
    number = next((u.forward_pass for u in unequal if u.forward_pass), 1)
    first, second = (_of_pass(record, number) for record in case.pair)
    return first, second


def _of_pass(record: Record, number: int) -> Record:
    passes: list[Record] = record.get("batch") or []
    return passes[number - 1] if len(passes) >= number else {}


def _same_rows(x: list[Any], y: list[Any]) -> bool:
    return bool(rows(x)) and rows(x) == rows(y)


def _other_number(case: Case, unequal: list[Unequal]) -> Iterator[LikelyCause]:
    """Passes in a step: accumulated gradients, or one more model in it."""
    for each in unequal:
        if each.field == FORWARD_PASSES:
            backward = [(r.get("gradient") or {}).get("backward_passes") for r in case.pair]
            counts = f"{each.left} in {FIRST} and {each.right} in {SECOND}"
            if backward[0] != backward[1]:
                yield LikelyCause(
                    "accumulation",
                    "gradients are accumulated over different numbers of batches before the "
                    f"optimizer's step: {counts}",
                    "look at gradient_accumulation_steps, and at where step() and zero_grad() "
                    "stand",
                )
            else:
                yield LikelyCause(
                    "forward-passes",
                    f"a step has different numbers of forward passes: {counts}",
                    "one run calls a model more often before optimizer.step()",
                )
        elif each.field == "model":
            yield LikelyCause(
                "other-model", f"a pass is of different models: {in_both(each.left, each.right)}"
            )


def _of_one_run(unequal: list[Unequal], hard: list[Unequal]) -> Iterator[LikelyCause]:
    """An input that only one run gives."""
    sides = {each.left is None for each in unequal if (each.left is None) != (each.right is None)}
    if hard or len(sides) > 1:  # or each run calls it otherwise
        return
    for each in unequal:
        if (each.left is None) != (each.right is None):
            side = int(each.left is None)
            name = plain(each.field)
            what = {
                "attention_mask": "padding is attended to like any other token",
                "labels": "the model computes no loss of its own there",
            }.get(each.field, "the model takes its default there")
            yield LikelyCause(
                "input-missing",
                f"{RUNS[side]} gives the model {name}, {RUNS[1 - side]} doesn't: {what}",
                f"give {name} in both, or in neither",
            )


def _other_form(x: Record, y: Record, names: list[str]) -> Iterator[LikelyCause]:
    """Other numbers of rows, or another type."""
    for name in names:
        shapes = tuple(x[name][1]), tuple(y[name][1])
        if shapes[0] and shapes[1] and shapes[0][0] != shapes[1][0]:
            yield LikelyCause(
                "batch-size",
                f"batches have different numbers of rows: {shapes[0][0]} in {FIRST} and "
                f"{shapes[1][0]} in {SECOND}",
                "look at batch_size, drop_last and the number of processes",
            )
            return
    for name in names:
        if x[name][2] != y[name][2]:
            yield LikelyCause("input-type", f"{plain(name)} is {in_both(x[name][2], y[name][2])}")
            return


def _masked(x: Record, y: Record, names: list[str]) -> Iterator[LikelyCause]:
    """Ids and labels that are both others where some labels are ignored: masked tokens."""
    label = next((n for n in names if "label" in n), None)
    if label is None or "input_ids" not in names or x[label][1] != y[label][1]:
        return
    masks = [more(each[label]) for each in (x, y)]
    if all(each.get("ignored") and each.get("unlike_ids") for each in masks):
        yield LikelyCause(
            "masked-tokens",
            f"input_ids and {plain(label)} both differ, their padding doesn't: different "
            "tokens are masked (MLM), or they are different texts",
            "look at the random numbers of the collator that masks tokens "
            "(DataCollatorForLanguageModeling), and its mlm_probability",
        )


def _padding(x: Record, y: Record, names: list[str]) -> Iterator[LikelyCause]:
    """The same rows, which only their padding tells apart."""
    same = [n for n in names if _same_rows(x[n], y[n])]
    if not same or any(rows(x[n]) != rows(y[n]) for n in names if rows(x[n]) and rows(y[n])):
        return
    name = "input_ids" if "input_ids" in same else same[0]
    shapes = x[name][1], y[name][1]
    if shapes[0] != shapes[1]:
        lengths = f"{shapes[0][-1]} in {FIRST} and {shapes[1][-1]} in {SECOND}"
        yield LikelyCause(
            "padding-length",
            f"the same rows are padded to different lengths: {lengths}",
            "look at padding ('longest' or 'max_length'), max_length and pad_to_multiple_of",
        )
    elif "attention_mask" in names:
        yield LikelyCause(
            "padding-side",
            "the same rows stand at different places between their padding: one run pads on the "
            "left, the other on the right, or masks different places",
            "look at tokenizer.padding_side",
        )
    else:
        yield LikelyCause(
            "padding-token",
            f"the same rows are padded with different values in {plain(name)}",
            "look at tokenizer.pad_token, and at the value that the collator pads with",
        )


def _rows(case: Case, x: Record, y: Record, names: list[str]) -> Iterator[LikelyCause]:
    """Other rows, or the same ones otherwise."""
    named = [n for n in names if rows(x[n]) and rows(y[n])]
    if not named:
        return
    name = max(named, key=lambda n: len(set(rows(x[n]))))
    left, right = rows(x[name]), rows(y[name])
    if sorted(left) == sorted(right):
        yield LikelyCause(
            "order-within-batch",
            f"the same rows of {plain(name)} in a different order within the batch",
            "look at the sampler, and at what sorts or groups rows by length",
        )
        return
    yield from rows_changed(case, name, left, right)
    every = case.later.every()
    if every is not None:
        yield LikelyCause(
            "worker",
            f"each {_nth(every)} batch has different rows ({case.step}, {case.step + every}, "
            f"{case.step + 2 * every} and so on), all between are equal: a DataLoader's {every} "
            "workers take turns, and are seeded differently. In one run each worker draws numbers "
            "of its own, in the other all draw the same, from one seed or copies of one generator",
            "see in which run workers repeat each other's augmentation, and seed each worker by "
            "itself there (worker_init_fn, or generators made in the worker from "
            "torch.initial_seed())",
        )
    if case.later.only_first():
        yield LikelyCause(
            "one-batch", f"only the batch of step {case.step} differs; all later ones are equal"
        )
    yield from _order(case, name, left, right)
    yield _other_rows(x, y, names, name, case)


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _order(case: Case, name: str, left: list[str], right: list[str]) -> Iterator[LikelyCause]:
    """Rows that the other run has, too, in other steps; most will do, as a run may be cut short."""
    ever = [own.rows | rows for own, rows in zip(case.earlier, case.later.rows, strict=True)]
    shared = sum(row in ever[1] for row in left) + sum(row in ever[0] for row in right)
    both = len(left) + len(right)
    if 2 * shared > both:
        seeds = next((d for d in case.told), None)
        told = " (and they were told different things: see below)" if seeds is not None else ""
        many = "all" if shared == both else f"{shared} of {both}"
        yield LikelyCause(
            "order",
            f"the same data in a different order: {many} rows of {plain(name)} of step {case.step} "
            f"are in the other run, too, in different steps{told}",
            "look at shuffle, the sampler, and the seed that the order is drawn with",
        )


def _other_rows(x: Record, y: Record, names: list[str], name: str, case: Case) -> LikelyCause:
    labels = [n for n in x if "label" in n and n in y and n not in names]
    many = f"{len(rows(x[name]))} rows"
    if labels:
        return LikelyCause(
            "other-values",
            f"beside the same {plain(labels[0])} {plain(name)} has different values: the same "
            "examples, prepared differently",
            "look at tokenisation, truncation, normalisation and augmentation",
        )
    when = "from the first step on" if case.step == 1 else f"from step {case.step} on"
    complete = all(earlier.complete for earlier in case.earlier)
    lacks = ", and are not all in the other run" if complete else ""
    return LikelyCause(
        "other-rows",
        f"the {many} of {plain(name)} differ {when}{lacks}",
        "different data, or the same prepared or augmented with different random numbers: look at "
        "the dataset, the transforms and their seeds",
    )
