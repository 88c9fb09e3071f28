"""The links of a step: one table, with a row for each, in the order in which they can go wrong.

To add a link: a row here, its comparator in `reference/diff/link_comparators.py` (a row without one
is an error when that module is imported), and what records it in `reference/observe/step/`.

What each link holds in a ledger of schema 5:

- `batch`, `forward`: one entry for each forward pass that was backpropagated. Inputs by name:
  hash, shape, type, the one value of an input that has no other, and what tells it apart (a hash
  of each row, how many labels are ignored, and how many aren't the ids). `arguments`: what is no
  tensor, and isn't its default, by name. Outputs: the loss; of others hash, shape, and the values
  where they are few or else their mean;
- `rng`: each generator's state before the first pass, and whether the step drew from it;
- `mode`: `training`, the modules in another mode than their parent (`odd`; of a long list that an
  earlier step has their number and a hash), `gradients`, `autocast`; `later`: those of the later
  passes, where they aren't the same;
- `weights`, `update`: hash of all the weights before and after, and of each tensor (no `tensors`
  where they are those of the update before); `buffers`: the same for what the model keeps beside
  its weights, by name;
- `gradient`, `clip`: what is accumulated after the last backward pass, and what the optimizer
  gets; `factor`: the second norm by the first (no `tensors` in `clip` where they are equal, no
  `norms` where each is the gradient's times `factor`);
- `optimizer`: `hyper`, the distinct sets of hyper-parameters, and `of`, which parameter has which
  set, or one of the marks of `marks.py`; `strangers`: how many parameters of no known model it
  has, none of which has a gradient;
- `schedule`: the learning rates of this step, and those that stand when the next one begins;
- `metrics`: of an evaluation the number of rows, its inputs and outputs (hash and form over all
  rows, whatever the batches; of numbers also their sum, 2-norm and a few sums with signs, 2-norm
  and such sums of them squashed, and how many aren't finite, or are huge, with a hash of where), a
  hash of the weights that it is made with (`held`), of its predictions, and the scores; `precise`:
  computed in float32 or better; `whole`: inputs and outputs with what no mask says is padding;
  `computed`: inputs that other passes gave; `going_on`: passes that go on from the one before, as
  when a text is told on; `earlier`: what it was before its first rows came `again`,
  or others after what may be its last batch.
"""

from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

from reference.ledger.field_checks import (
    Check,
    anything,
    either,
    flag,
    is_of,
    list_of,
    mapping,
    number,
    text,
    whole,
)
from reference.ledger.marks import ABSENT, NO_GROUP

GENERATORS = ("python", "numpy", "torch")  # every process has them


class Holds(Flag):
    """What a link's value is made of, as far as others have to know."""

    VALUES = 0  # plain values
    HASHES = auto()  # hashes of bits, which another schema may compute in another way
    PASSES = auto()  # a list with one entry for each forward pass, which names its model
    TENSORS = auto()  # `hash`, and `tensors` (and `norms`) with an entry for each parameter
    BUFFERS = auto()  # `buffers`, by name


@dataclass(frozen=True, kw_only=True)
class Link:
    """One row of the table, which says all of it: only the last attribute has a default.

    Attributes:
        name: As it stands in a ledger.
        check: What its value must look like (the schema).
        holds: What its value is made of.
        computed: A machine computed it: on another machine its bits may differ with nothing wrong.
            The other links are what the machine was told.
        needs_same_model: It can't be compared for two models that have other parameters.
        decisive: What follows from a difference in an earlier link of the step shows here.
        after_evaluation: It is of an evaluation, and not of a step.
    """

    name: str
    check: Check
    holds: Holds
    computed: bool
    needs_same_model: bool
    decisive: bool
    after_evaluation: bool = False


_shape = list_of(whole)


def _input_or_output(value: Any) -> str | None:
    """Its number; or hash, shape, and then its type, or its values."""
    if type(value) is not list:
        return number(value)
    if len(value) < 3 or type(value[0]) is not str or _shape(value[1]) is not None:
        return ""
    # Most of a long ledger's fields are here, and of these types: a number alone may be too large.
    for each in value[2:]:
        if not _is_plain(each) and anything(each) is not None:
            return ""
    return None


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(each) is str or whole(each) is None for each in value.values())
    return value is None or type(value) is str or type(value) is bool


def _generators(value: Any) -> str | None:
    """All that every process has, or none where the step has no forward pass of its own."""
    needed = dict.fromkeys(GENERATORS if value else (), _generator)
    return mapping(needed, others=_generator)(value)


def _generator(value: Any) -> str | None:
    right = type(value) is list and len(value) == 2
    return None if right and text(value[0]) is None and flag(value[1]) is None else ""


def _mode(value: Any) -> str | None:
    needed = {"training": flag} if value else {}
    later = list_of(mapping({}, {"training": flag, "autocast": text}))
    known = {
        "odd": either(list_of(text), text),
        "gradients": flag,
        "autocast": text,
        "later": later,
    }
    return mapping(needed, known)(value)


def _optimizer(value: Any) -> str | None:
    """Its fields; and each parameter's set of hyper-parameters is there."""
    wrong = _optimizer_fields(value)
    if wrong is not None:
        return wrong
    entries = {ABSENT, NO_GROUP, *map(str, range(len(value["hyper"])))}
    return None if entries.issuperset(value["of"].split()) else "of"


buffers = mapping({"hash": text}, {"tensors": mapping({}, others=text)})
_rates = list_of(either(number, text))
_arguments = mapping({})
_passes = list_of(mapping({}, {"model": whole, "arguments": _arguments}, others=_input_or_output))
_weights = mapping({"hash": text}, {"tensors": text, "buffers": buffers})
_norms = {"norm": number, "tensors": text, "norms": text, "norms_after": list_of(number)}
_optimizer_fields = mapping(
    {
        "index": whole,
        "class": text,
        "hyper": list_of(mapping({})),
        "of": text,
        "strangers": whole,
        "how": mapping({}),
    },
    {"base_learning_rate": _rates},
)

_gradient = mapping({}, {"hash": text, **_norms, "backward_passes": whole})
_clip = mapping(
    {"hash": text, "norm": number},
    {**_norms, "factor": either(number, is_of(type(None))), "closure_calls": whole},
)
_schedule = mapping({"learning_rate": _rates, "next_learning_rate": _rates})


SUMS = 11  # of an output's numbers: sum, 2-norm, four with signs; and 2-norm and four of squashed


def _over_all_rows(value: Any) -> str | None:
    """Hash and form; and of numbers sums, after which is told where they are odd."""
    if type(value) is not list or len(value) == 3 or len(value) < 2:
        return ""
    if not all(type(each) is str and each.strip() for each in value[:2]):
        return ""
    sums = value[2:]
    if len(sums) == SUMS + 1 and type(sums[-1]) is str and sums[-1].strip():
        sums = sums[:-1]
    return list_of(number)(sums)


_hashed = mapping({}, others=_over_all_rows)
_metrics_fields = mapping(
    {"predictions": text, "count": whole, "scores": mapping({}, others=number)},
    {
        **dict.fromkeys(("batches", "rows", "weights", "rng", "logits", "autocast"), text),
        **dict.fromkeys(("inputs", "outputs"), _hashed),
        "held": text,
        "training": flag,
        "precise": flag,
        "again": flag,
        "computed": list_of(text),
        "going_on": mapping({"passes": whole, "longest": whole, "hash": text, "shapes": text}),
        "whole": mapping({"inputs": _hashed, "outputs": _hashed, "predictions": text}),
        "arguments": _arguments,
    },
)


def _metrics(value: Any) -> str | None:
    """Its fields, and those of what it was earlier; schema 2 had neither inputs nor outputs."""
    wrong = _metrics_fields(value)
    if wrong is not None:
        return wrong
    lacking = [name for name in ("inputs", "outputs") if name not in value]
    if len(lacking) == 1:
        return lacking[0]
    if list_of(_metrics_fields)(value.get("earlier", [])) is not None:
        return "earlier"
    return None


_VALUES, _HASHES, _PASSES, _TENSORS = Holds.VALUES, Holds.HASHES, Holds.PASSES, Holds.TENSORS
_BUFFERS = Holds.BUFFERS

# fmt: off
TABLE = (
    Link(name="batch", check=_passes, holds=_PASSES | _HASHES,
         computed=False, needs_same_model=False, decisive=False),
    Link(name="rng", check=_generators, holds=_HASHES,
         computed=True, needs_same_model=False, decisive=False),
    Link(name="mode", check=_mode, holds=_VALUES,
         computed=False, needs_same_model=False, decisive=False),
    Link(name="weights", check=_weights, holds=_TENSORS | _BUFFERS | _HASHES,
         computed=True, needs_same_model=True, decisive=False),
    Link(name="forward", check=_passes, holds=_PASSES | _HASHES,
         computed=True, needs_same_model=True, decisive=True),
    Link(name="gradient", check=_gradient, holds=_TENSORS | _HASHES,
         computed=True, needs_same_model=True, decisive=True),
    Link(name="clip", check=_clip, holds=_TENSORS | _HASHES,
         computed=True, needs_same_model=True, decisive=False),
    Link(name="optimizer", check=_optimizer, holds=_VALUES,
         computed=False, needs_same_model=True, decisive=False),
    Link(name="update", check=_weights, holds=_TENSORS | _BUFFERS | _HASHES,
         computed=True, needs_same_model=True, decisive=True),
    Link(name="schedule", check=_schedule, holds=_VALUES,
         computed=False, needs_same_model=True, decisive=False),
    Link(name="metrics", check=_metrics, holds=_HASHES, after_evaluation=True,
         computed=True, needs_same_model=True, decisive=False),
)
# fmt: on
METRICS = "metrics"
OF_NAME = {link.name: link for link in TABLE}
LINKS = tuple(link.name for link in TABLE if not link.after_evaluation)  # those of a step
COMPUTED = tuple(link.name for link in TABLE if link.computed)
NEED_SAME_MODEL = tuple(link.name for link in TABLE if link.needs_same_model)
DECISIVE = frozenset(link.name for link in TABLE if link.decisive)


def links_holding(what: Holds) -> tuple[str, ...]:
    """The names of the links whose value has this, in the order of the table."""
    return tuple(link.name for link in TABLE if what in link.holds)
