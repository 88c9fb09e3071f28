"""The line of code that makes B like A, of a difference for which one is known."""

from reference.diff.value_text import short
from reference.lockstep.differences import Difference


def fix_text(difference: Difference) -> str:
    """The line of code that makes B like A; '' where none is known."""
    link, name = difference.link, difference.field
    if link == "clip":
        return _clip_fix(difference)
    if link == "mode" and name == "of another model":
        return f"{'train' if difference.a == 'train' else 'eval'}() of that model, once"
    if link == "mode" and name == "training":
        call = "model.train()" if difference.a == "train" else "model.eval()"
        return f"{call} before each forward pass of the training"
    if link == "mode" and name == "frozen":
        return f"parameter.requires_grad_({not difference.a}) of those"
    if link == "zeroed":
        return "optimizer.zero_grad() after each optimizer.step()" if difference.a else ""
    if link == "optimizer" and name not in ("class", "in a group", "state"):
        value = "None" if difference.a is None else short(difference.a)
        whose = "" if difference.first["count"] == difference.first["total"] else " in their group"
        return f"{name}={value}{whose}, given to the optimizer"
    if link == "optimizer" and name == "class":
        return f"the optimizer {difference.a}"
    if link == "batch" and name.startswith("given "):
        word = name.removeprefix("given ")
        return f"give the model {word}" if difference.a else f"don't give the model {word}"
    if link == "schedule":
        return _rate_fix(difference)
    if link == "gradient" and name == "norm":
        factor = difference.first.get("factor")
        if not factor or any(difference.first.get("absent", [0])) or abs(factor - 1) <= 1e-6:
            return ""
        return f"(loss * {1 / factor:.6g}).backward()"
    if link == "forward" and name.startswith("setting "):
        where = difference.first["first"].rpartition(".")[0] or "the model"
        more = " and the others" if difference.first["count"] > 1 else ""
        return f"{name.removeprefix('setting ')}={difference.a!r} in {where}{more}"
    if link == "forward" and name.startswith("loss ") and difference.a is not None:
        word = name.removeprefix("loss ")
        return f"{difference.first.get('function', 'the loss')}(..., {word}={difference.a!r})"
    return ""


def _rate_fix(difference: Difference) -> str:
    """Where both rates stay what they are: the one that A is given."""
    rates = {(note["a"], note["b"]) for note in difference.notes}
    return f"lr={short(difference.a)}, given to the optimizer" if len(rates) == 1 else ""


def _clip_fix(difference: Difference) -> str:
    if difference.field == "bound":
        return ""
    theirs = difference.first["clips"][0]
    if not theirs:
        return "take the clip away"
    if len(theirs) > 1:
        return ""
    clip = theirs[0]
    where = "after" if clip["late"] else "before"
    call = f"torch.nn.utils.{clip['name']}(model.parameters(), {clip['bound']:g})"
    return f"{call} {where} optimizer.step()"
