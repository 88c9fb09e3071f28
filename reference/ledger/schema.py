"""Whether a record is as its schema has it: what a stranger's ledger is asked before it is read.

Used by `python -m reference diff A B` and `python -m reference explain LEDGER`. The schema itself
stands in `record.py`. Fields that it doesn't name may be there; those that it names have the type
that it says. Nothing here runs what is in a ledger.
"""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from reference.errors import InputError
from reference.ledger import LINKS
from reference.ledger.record import KINDS, Item, Record
from reference.messages import plain

Check = Callable[[Any], str | None]  # the path of what is wrong ('' for the value itself), or None

MENDED = "edited or damaged, record the run again"
DEEP = 8  # nested so far at most: a header's recipe or an optimizer's values are no deeper
GENERATORS = ("python", "numpy", "torch")  # every process has them
WORDS = ("nan", "inf", "-inf")  # JSON has no numbers for them


def _is(*types: type) -> Check:
    return lambda value: None if type(value) in types else ""


text, flag = _is(str), _is(bool)


def whole(value: Any) -> str | None:
    """A number of things: 0 and up, and no more than a file can have."""
    return None if type(value) is int and 0 <= value <= sys.maxsize else ""


def number(value: Any) -> str | None:
    """A finite number within a float's range, or one of the words."""
    if type(value) is float:
        return None if math.isfinite(value) else ""
    if type(value) is int:
        return None if abs(value) <= sys.float_info.max else ""
    return None if value in WORDS and type(value) is str else ""


def free(value: Any, depth: int = DEEP) -> str | None:
    """Anything that JSON has, not nested too deeply, and its numbers a float's."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        if depth == 0:
            return ""
        return next((_at(k, p) for k, v in inner if (p := free(v, depth - 1)) is not None), None)
    return number(value) if type(value) in (int, float) else None


def either(*checks: Check) -> Check:
    return lambda value: None if any(check(value) is None for check in checks) else ""


def list_of(check: Check) -> Check:
    def of(value: Any) -> str | None:
        if type(value) is not list:
            return ""
        return next((_at(i, p) for i, v in enumerate(value) if (p := check(v)) is not None), None)

    return of


def mapping(
    needed: Mapping[str, Check], may: Mapping[str, Check] | None = None, rest: Check = free
) -> Check:
    """A mapping with these fields; any others are checked by `rest`."""
    known = {**needed, **(may or {})}

    def of(value: Any) -> str | None:
        if type(value) is not dict:
            return ""
        missing = next((name for name in needed if name not in value), None)
        if missing is not None:
            return _at(missing, "")
        found = ((name, known.get(name, rest)(one)) for name, one in value.items())
        return next((_at(name, path) for name, path in found if path is not None), None)

    return of


def _at(name: Any, path: str) -> str:
    return f"{name}.{path}" if path else str(name)


def _described(value: Any) -> str | None:
    """An input or output: its number; or hash, shape, and then its type, or its values."""
    if type(value) is not list:
        return number(value)
    right = len(value) >= 3 and text(value[0]) is None and list_of(whole)(value[1]) is None
    return free(value) if right else ""


def _of(value: Any) -> str | None:
    return None if type(value) is list and len(value) >= 2 else ""


def _parameter(value: Any) -> str | None:
    right = _of(value) is None and text(value[0]) is None and list_of(whole)(value[1]) is None
    return None if right else ""


def _generators(value: Any) -> str | None:
    """All of every process's, or none where the step has no forward pass of its own."""
    each = mapping(dict.fromkeys(GENERATORS if value else (), _state), rest=_state)
    return each(value)


def _state(value: Any) -> str | None:
    right = type(value) is list and len(value) == 2
    return None if right and text(value[0]) is None and flag(value[1]) is None else ""


def _mode(value: Any) -> str | None:
    needed = {"training": flag} if value else {}
    return mapping(needed, {"odd": list_of(text), "gradients": flag, "autocast": text})(value)


_rates = list_of(either(number, text))
_tensors = {"hash": text}
_norms = {"norm": number, "tensors": text, "norms": text, "norms_after": list_of(number)}
_buffers = mapping({"hash": text}, {"tensors": mapping({}, rest=text)})
_optimizer = mapping(
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


def _groups(value: Any) -> str | None:
    """As `_optimizer`; and each parameter's set of hyper-parameters is there."""
    wrong = _optimizer(value)
    if wrong is not None:
        return wrong
    known = {"-", "x", *map(str, range(len(value["hyper"])))}
    return None if known.issuperset(value["of"].split()) else "of"


OF_LINK: dict[str, Check] = {
    "batch": list_of(mapping({}, {"model": whole}, rest=_described)),
    "rng": _generators,
    "mode": _mode,
    "weights": mapping(_tensors, {"tensors": text, "buffers": _buffers}),
    "forward": list_of(mapping({}, {"model": whole}, rest=_described)),
    "gradient": mapping({}, {**_tensors, **_norms, "backward_passes": whole}),
    "clip": mapping(
        {**_tensors, "norm": number},
        {**_norms, "factor": either(number, _is(type(None))), "closure_calls": whole},
    ),
    "optimizer": _groups,
    "update": mapping(_tensors, {"tensors": text, "buffers": _buffers}),
    "schedule": mapping({"learning_rate": _rates, "next_learning_rate": _rates}),
}
_metrics = mapping(
    {"predictions": text, "logits": text, "count": whole, "scores": mapping({}, rest=number)},
    {"batches": text, "training": flag, "rng": text},
)
OF_KIND: dict[str, Check] = {
    "header": free,
    "model": mapping(
        {"parameters": list_of(_parameter)},
        {"model": whole, "class": text, "gone": list_of(text)},
    ),
    "step": mapping({"step": whole}, {**OF_LINK, "zeroed": flag, "unseen": text}),
    "evaluation": mapping({"step": whole, "metrics": _metrics}, {"unseen": text}),
    "end": mapping(
        {"complete": flag, "steps": whole},
        {"weights": text, "tensors": text, "buffers": _buffers, "recorded": whole, "lost": text},
    ),
}
# What a step is made of in this schema.
FIELDS = ("kind", "step", *LINKS, "zeroed", "unseen")


def check(item: Item) -> Record:
    """The record. Raises InputError, naming file, row and field, unless it is as it should be."""
    record = item.record
    if not item.checked:
        kind = record["kind"]
        if kind not in KINDS:
            raise damaged(item, "kind", f"{kind!r} is none of {', '.join(KINDS)}")
        wrong = OF_KIND[kind](record)
        if wrong is not None:
            raise damaged(item, wrong or "kind", "missing, or not as its schema has it")
        item.checked = True
    return record


def known(item: Item) -> tuple[Record, tuple[str, ...]]:
    """(what this schema knows of a newer one's step, the names of the fields that it doesn't).

    Raises InputError where not even its number can be read.
    """
    record = item.record
    if whole(record.get("step")) is not None:
        raise damaged(item, "step", "missing, or not as its schema has it")
    kept = {k: v for k, v in record.items() if k not in OF_LINK or OF_LINK[k](v) is None}
    return kept, tuple(k for k in record if k not in FIELDS or k not in kept)


def damaged(item: Item, field: str, what: str) -> InputError:
    """The error for a record that somebody edited, or a disk."""
    return InputError(f"{item.where}: field {plain(field)}: {plain(what)}; {MENDED}")
