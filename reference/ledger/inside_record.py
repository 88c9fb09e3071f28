"""What a step holds of the inside of its forward passes, where somebody asked for it.

    python -m reference observe --inside 3 SCRIPT

The field `inside` of a step: one entry for each forward pass of the link `forward`; null for a pass
of another step's beginning. An entry is a mapping:

- `modules`: of each module of the model its name ('' for the model itself), class, whether it is in
  training mode, and which of `settings` it has. After them modules that aren't the model's own but
  were called, which are named by their class in brackets;
- `settings`: the distinct sets of plain attributes, as text (dropout's `p`, a norm's `eps`);
- `calls`: in the order in which they begin: the module's place in `modules`; the depth (0 for the
  model's own call, and for a loss after it); a hash of torch's generators ('' where it isn't
  known); its inputs by name, and its outputs (null where it raised). Of a tensor hash, type and
  shape, or `unread` where it can't be read; of an argument that is no tensor its text;
- `left_out`: how many calls aren't listed, where there are too many, or too deep;
- `lost`: why nothing more was recorded, if so.
"""

from typing import Any

from reference.ledger.field_checks import either, flag, is_of, list_of, mapping, text, whole

MOST_CALLS = 10_000  # of one forward pass
DEEPEST_CALL = 100
MODEL = ""  # the name of the model itself
UNREAD = "unread"

_texts = mapping({}, others=text)
_outputs = either(_texts, is_of(type(None)))


def _row(*checks: Any) -> Any:
    def check(value: Any) -> str | None:
        right = type(value) is list and len(value) == len(checks)
        fits = right and all(c(v) is None for c, v in zip(checks, value, strict=True))
        return None if fits else ""

    return check


_fields = mapping(
    {
        "modules": list_of(_row(text, text, flag, whole)),
        "settings": list_of(_texts),
        "calls": list_of(_row(whole, whole, text, _texts, _outputs)),
    },
    {"left_out": whole, "lost": text},
)


def _pass(value: Any) -> str | None:
    """Its fields; and what its rows refer to is there."""
    if value is None:
        return None
    wrong = _fields(value)
    if wrong is not None:
        return wrong
    modules, calls = value["modules"], value["calls"]
    if any(row[3] >= len(value["settings"]) for row in modules):
        return "modules"
    depth = -1
    for module, at, *_ in calls:
        if module >= len(modules) or at > min(depth + 1, DEEPEST_CALL):
            return "calls"
        depth = at
    return None


check_inside = list_of(_pass)
