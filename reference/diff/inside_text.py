"""Where two runs part within a forward pass, in words."""

from reference.diff.inside_notes import (
    CutInside,
    EqualInside,
    How,
    Inside,
    ModuleName,
    NotInside,
    PartsInside,
    Setting,
    Value,
)
from reference.diff.sides import Sides
from reference.diff.value_text import both
from reference.ledger.inside_record import MODEL
from reference.messages import plain


def inside_text(note: Inside, sides: Sides) -> str:
    """One note in a line.

    Args:
        note: What is known.
        sides: What the two runs are called.
    """
    match note:
        case PartsInside():
            return f"inside: {_parts(note, sides)}"
        case EqualInside(calls, settings, unread):
            unequal = f"; unequal all the same: {_settings(settings, None)}" if settings else ""
            said = f"inside: all {calls} calls of modules are equal, in and out"
            return f"{said}{_unread(unread)}{unequal}"
        case CutInside(side, left_out, lost):
            why = (
                f"{left_out} calls more aren't listed" if left_out else f"no more is known ({lost})"
            )
            return f"inside: of {sides.name(side)} {plain(why)}"
        case NotInside(step, only):
            there = "" if only is None else f", as {sides.name(only)} has been"
            return (
                "which module inside it is the first: diff --inside A B runs both again up to step "
                f"{step}; or observe them with --inside {step}{there}"
            )


def _parts(note: PartsInside, sides: Sides) -> str:
    module = _module(note.module)
    where = "" if note.forward_pass is None else f"pass {note.forward_pass}, "
    match note.how:
        case How.OUTPUT if not note.has_parts:
            said = f"{module} is the first whose output is unequal{_form(note.value)}"
            said += "; what goes in is equal"
        case How.OUTPUT:
            said = f"in {module} itself, after its parts: what these give is equal, and its own "
            said += f"output is the first that isn't{_form(note.value)}"
        case How.BEFORE:
            part = note.part[0]
            name = "its part" if part is None else _module(part)
            what = "input" if note.value is None else plain(note.value.name)
            said = f"in {module} itself, before it calls {name}, whose {what} is the first that is "
            said += f"unequal{_form(note.value, named=False)}"
        case How.CALLS:
            said = f"in {module} itself: all is equal up to where {_other_calls(note, sides)}"
    return plain(where) + said + _causes(note, sides) + _unread(note.unread)


def _causes(note: PartsInside, sides: Sides) -> str:
    said = ""
    if note.only is not None:
        side, module = note.only
        said += f"; before that only {sides.name(side)} calls {_module(module)}"
    if note.first_output is not None:
        said += f"; the first unequal output is that of {_module(note.first_output)}"
    if note.settings:
        where = "unequal elsewhere: " if note.settings_elsewhere else ""
        own = None if note.settings_elsewhere else (note.first_output or note.module).name
        said += f"; {where}{_settings(note.settings, own)}"
    if note.argument is not None:
        name, left, right = note.argument.name, note.argument.left, note.argument.right
        side = int(left is None)
        said += f"; yet only {sides.name(side)} gives it {plain(f'{name} ({right or left})')}"
    if note.drew:
        said += "; the random generators stood elsewhere when it was called"
    return said


def _other_calls(note: PartsInside, sides: Sides) -> str:
    each = [
        f"{sides.name(side)} calls {_module(part)}"
        for side, part in enumerate(note.part)
        if part is not None
    ]
    return " and ".join(each)


def _module(module: ModuleName) -> str:
    kinds = " and ".join(dict.fromkeys(module.kinds))
    if not kinds:
        return "the script"
    name = "the model" if module.name == MODEL else module.name
    bare = name.startswith("(")  # not the model's own, and named by its class
    return plain(name[1:-1] if bare else f"{name} ({kinds})")


def _settings(settings: tuple[Setting, ...], own: str | None) -> str:
    """As in 'p: 0.1 and 0.2'; of another module than the one that is named, with its name."""
    texts = []
    for each in settings:
        texts.append(f"{_whose(each.of, own)}{each.field}: {both(each.left, each.right)}")
    return plain("; ".join(texts))


def _whose(module: str, own: str | None) -> str:
    if module == own:
        return ""
    if own and module.startswith(f"{own}."):
        return f"its {module.removeprefix(f'{own}.')}'s "
    return f"{'the model' if module == MODEL else module}'s "


def _form(value: Value | None, *, named: bool = True) -> str:
    """What of an unequal value a reader can see: its type and shape, or all of a plain one."""
    if value is None:
        return ""
    forms = [_without_hash(each) for each in (value.left, value.right)]
    name = f"{value.name}: " if named and value.name != "output" else ""
    return f" ({plain(name + both(*forms))})" if forms[0] != forms[1] else ""


def _without_hash(value: str | None) -> str:
    if value is None:
        return "none"
    _, _, form = value.partition(" ")
    return form if form.endswith("]") else value


def _unread(count: int) -> str:
    values = "a value" if count == 1 else f"{count} values"
    return f"; {values} of these calls can't be read" if count else ""
