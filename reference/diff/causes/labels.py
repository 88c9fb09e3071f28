"""Unequal labels of the same examples: shifted, ignored, numbered otherwise."""

from collections.abc import Iterator, Sequence
from math import prod

from reference.diff.batch_differences import more, rows
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.ledger.record import Record
from reference.messages import plain

IDS, MASK = "input_ids", "attention_mask"
MOSTLY = 0.5  # of all labels: as many are unlike the ids where they are shifted
CAUSAL = ("CausalLM", "LMHeadModel")  # how transformers' classes end that shift labels themselves


def label_causes(
    x: Record, y: Record, names: list[str], same: list[str], kinds: Sequence[str]
) -> Iterator[LikelyCause]:
    """What is unequal of labels, where they are those of the same examples.

    Args:
        x: The first run's inputs, by name.
        y: The second run's.
        names: Those that are unequal.
        same: Those that are equal, or have the same rows.
        kinds: The classes of the models.
    """
    if not [name for name in same if "label" not in name]:
        return
    for name in names:
        if "label" in name and x[name][1] == y[name][1]:
            yield from _of_ids(name, x, y, kinds)
            yield from _ignored(name, x, y)
            yield from _numbered(name, rows(x[name]), rows(y[name]))
            yield LikelyCause(
                "labels",
                f"the same inputs have different {plain(name)}",
                "look at how labels are made: their column, their numbers, shuffling without the "
                "inputs",
            )


def _of_ids(name: str, x: Record, y: Record, kinds: Sequence[str]) -> Iterator[LikelyCause]:
    """Labels that are the inputs themselves in one run, and not in the other."""
    unlike = [more(each[name]).get("unlike_ids") for each in (x, y)]
    places = prod(x[name][1])
    for side in (0, 1):
        other = unlike[1 - side]
        if unlike[side] != 0 or other is None or other <= MOSTLY * places:
            continue
        same, shifted = RUNS[side], RUNS[1 - side]
        next_ids = more((x, y)[1 - side][name]).get("unlike_next_ids") == 0
        moved = (
            "the next token's id" if next_ids else f"different ids in {other} of {places} places"
        )
        said = f"{same}'s {plain(name)} are its input_ids; {shifted}'s are {moved}"
        kind = next((kind for kind in kinds if kind.endswith(CAUSAL)), None)
        if kind is not None:
            yield LikelyCause(
                "labels-shifted",
                f"{said}: {plain(kind)} shifts labels itself, so that {shifted} shifts twice",
                f"give {plain(kind)} labels=input_ids, not shifted ones",
            )
        else:
            yield LikelyCause(
                "labels-shifted",
                f"{said}: one run learns the input itself, the other what comes next",
                "shift labels by one place once: in the data, in the model or in the loss",
            )


def _ignored(name: str, x: Record, y: Record) -> Iterator[LikelyCause]:
    """Other numbers of labels that a loss leaves out."""
    told = [more(each[name]).get("ignored") for each in (x, y)]
    counts = [int(count) for count in told if count is not None]
    if len(counts) < len(told) or counts[0] == counts[1]:
        return
    side = int(counts[1] > counts[0])  # who leaves more out
    out, learns, extra = RUNS[side], RUNS[1 - side], abs(counts[0] - counts[1])
    said = (
        f"of {prod(x[name][1])} {plain(name)} {counts[0]} are -100 in {FIRST} and {counts[1]} in "
        f"{SECOND}: {out} leaves {extra} more out of the loss"
    )
    row_count = int(x[name][1][0])
    padding = [_padding(each, name) for each in (x, y)]
    learnt = more((x, y)[1 - side][name]).get("on_padding")
    if learnt and padding[1 - side] is not None:
        yield LikelyCause(
            "labels-at-padding",
            f"{said}; {learnt} of {padding[1 - side]} places of padding (attention_mask is 0) have "
            f"labels that count in {learns}: it learns padding",
            f"set {plain(name)} to -100 in {learns} where attention_mask is 0",
        )
    elif min(counts) == padding[0] == padding[1] and _other_filler(x, y):
        one = f", one in each of {row_count} rows" if extra == row_count else ""
        yield LikelyCause(
            "labels-ignored",
            f"{said}: places of real tokens{one}. {learns} leaves out just the padding; {out} pads "
            "with a different token and leaves out every place that has it, as where pad_token is "
            "eos_token: then the end of a text isn't learnt",
            f"give {out} a pad_token of its own, that isn't its eos_token; or set {plain(name)} to "
            "-100 by attention_mask, not by the pad token",
        )
    elif min(counts) == padding[0] == padding[1]:  # of the others no place is padding
        one = ", one in each row" if extra == row_count else ""
        yield LikelyCause(
            "labels-ignored",
            f"{said}, and these are real tokens{one}: {learns} leaves out just the padding",
            f"{out} masks more than its padding: is its pad_token also its eos_token, which then "
            "isn't learnt?",
        )
    elif min(counts) == 0 and _of_their_own(x, name):
        yield LikelyCause(
            "labels-at-padding",
            f"{said}. {plain(name)} are texts of their own here ({x[name][1][1]} places a row, "
            f"{IDS} has {x[IDS][1][1]}), so that no prompt stands in them: what {learns} "
            "learns more is their padding",
            f"set {plain(name)} to -100 at their padding in {learns} (DataCollatorForSeq2Seq does)",
        )
    elif min(counts) == 0:
        yield LikelyCause(
            "labels-ignored",
            f"{said}; {learns} leaves out none, so that it also learns padding, or the prompt",
            f"set {plain(name)} to -100 at padding (and at what isn't to be learnt) in {learns}",
        )
    else:
        yield LikelyCause(
            "labels-ignored",
            said,
            "look at what sets labels to -100: padding, prompts, special tokens, mlm_probability",
        )


def _padding(inputs: Record, name: str) -> int | None:
    """How many places are padding, where the mask says so and the labels have its shape."""
    tokens, ids = inputs.get("tokens"), inputs.get(IDS)
    if not isinstance(tokens, int) or ids is None or ids[1] != inputs[name][1]:
        return None
    return int(prod(ids[1])) - tokens


def _other_filler(x: Record, y: Record) -> bool:
    """The same texts, padded in the same places with another token."""
    if any(not isinstance(each.get(name), list) for each in (x, y) for name in (MASK, IDS)):
        return False
    same = bool(rows(x[IDS])) and rows(x[IDS]) == rows(y[IDS]) and x[MASK][:3] == y[MASK][:3]
    return same and x[IDS][1:3] == y[IDS][1:3] and x[IDS][0] != y[IDS][0]


def _of_their_own(inputs: Record, name: str) -> bool:
    """Whether labels are other texts than the ids: of another width, as an encoder-decoder's."""
    shapes = [inputs[n][1] for n in (name, IDS) if isinstance(inputs.get(n), list)]
    return len(shapes) == 2 and all(len(s) == 2 for s in shapes) and shapes[0][1] != shapes[1][1]


def _numbered(name: str, left: list[str], right: list[str]) -> Iterator[LikelyCause]:
    """Labels of which each of one run is always the same other one in the other run."""
    pairs = set(zip(left, right, strict=False))
    one_to_one = len(pairs) == len(set(left)) == len(set(right))
    if one_to_one and 1 < len(set(left)) < len(left):
        yield LikelyCause(
            "labels-numbered",
            f"{plain(name)} are numbered differently: each class of {FIRST} is always one "
            f"different class of {SECOND}",
            "look at label2id, the order of the class names, and whether numbers begin with 0 or 1",
        )
