"""Whether a record is as its schema has it: what a stranger's ledger is asked before it is read.

The fields are described in `record.py`, and those of a step's links in `link_table.py`. Fields
that the schema names have the type that it says. Others may be there, but for a step's own, which
are links: one that isn't in the table would be compared by nobody.
"""

from reference.errors import InputError
from reference.ledger.chores_record import check_chores
from reference.ledger.field_checks import (
    Check,
    anything,
    flag,
    list_of,
    mapping,
    number,
    places,
    text,
    whole,
)
from reference.ledger.inside_record import check_inside
from reference.ledger.link_table import LINKS, METRICS, OF_NAME, buffers
from reference.ledger.reader import Item
from reference.ledger.record import KINDS, REMEDY, SCHEMA, Record
from reference.messages import plain


def _parameter(value: object) -> str | None:
    """Name and shape of a parameter; a later schema may add more."""
    if type(value) is not list or len(value) < 2:
        return ""
    return None if text(value[0]) is None and list_of(whole)(value[1]) is None else ""


_tensors = mapping({}, others=text)
_at_end = mapping(
    {"model": text, "trained": flag, "hash": text, "tensors": _tensors},
    {
        "fleeting": _tensors,
        "copy": flag,
        "unseen": text,
        "step": whole,
        "parts": mapping({}),
    },
)
_optimizer_at_end = mapping(
    {"class": text, "index": whole},
    {
        "places": places,
        "state": _tensors,
        "hyper": list_of(mapping({})),
        "of": places,
        "beside": _tensors,
        "unseen": text,
    },
)
OF_LINK: dict[str, Check] = {name: OF_NAME[name].check for name in LINKS}
BESIDE_LINKS: dict[str, Check] = {
    "zeroed": flag,
    "unseen": text,
    "uncalled": whole,
    "settings": mapping({}),
    "inside": check_inside,
    "chores": check_chores,
}
OF_KIND: dict[str, Check] = {
    "header": anything,
    "model": mapping(
        {"parameters": list_of(_parameter)},
        {"model": whole, "class": text, "gone": list_of(text)},
    ),
    "step": mapping({"step": whole}, {**OF_LINK, **BESIDE_LINKS}),
    "evaluation": mapping(
        {"step": whole, METRICS: OF_NAME[METRICS].check},
        {"unseen": text, "model": text, "trained": flag, "dropout": number, "statistics": flag},
    ),
    "end": mapping(
        {"complete": flag, "steps": whole},
        {
            "weights": text,
            "tensors": text,
            "buffers": buffers,
            "models": list_of(_at_end),
            "optimizers": list_of(_optimizer_at_end),
            "rng": _tensors,
            "gradients": text,
            "saved": list_of(
                mapping({"name": text, "hash": text, "tensors": _tensors}, {"unseen": text})
            ),
            "recorded": whole,
            "lost": text,
            "asked": flag,
            "seal": text,
        },
    ),
}
# What a step is made of in this schema.
FIELDS = ("kind", "step", *LINKS, *BESIDE_LINKS)


def check(item: Item) -> Record:
    """The record of one line.

    Raises:
        InputError: It isn't as its schema has it; the message names file, row and field.
    """
    record = item.record
    if not item.checked:
        kind = record["kind"]
        if kind not in KINDS:
            raise damaged(item, "kind", f"{kind!r} is none of {', '.join(KINDS)}")
        wrong = OF_KIND[kind](record)
        if wrong is None and kind == "step":
            unknown = next((name for name in record if name not in FIELDS), None)
            if unknown is not None:
                # Nobody compares it. As unequal as it may be, the verdict would be `identical`.
                raise damaged(item, unknown, f"no link of schema {SCHEMA} (see link_table.py)")
        if wrong is not None:
            raise damaged(item, wrong or "kind", "missing, or not as its schema has it")
        item.checked = True
    return record


def known(item: Item) -> tuple[Record, tuple[str, ...]]:
    """What this schema knows of a step that a newer one wrote.

    Returns:
        The step with the fields that this schema knows, and the names of the other fields.

    Raises:
        InputError: Not even the step's number can be read.
    """
    record = item.record
    if whole(record.get("step")) is not None:
        raise damaged(item, "step", "missing, or not as its schema has it")
    checks = {**OF_LINK, **BESIDE_LINKS}
    kept = {k: v for k, v in record.items() if k not in checks or checks[k](v) is None}
    return kept, tuple(k for k in record if k not in FIELDS or k not in kept)


def damaged(item: Item, field: str, what: str) -> InputError:
    """The error for a record that somebody edited, or a disk damaged."""
    return InputError(f"{item.where}: field {plain(field)}: {plain(what)}; {REMEDY}")
