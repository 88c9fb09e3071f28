"""A difference in words: the link, the steps, both values, and what makes B like A."""

from collections.abc import Sequence
from typing import Any

from reference.diff.value_text import both, distance, short
from reference.ledger.link_table import METRICS
from reference.lockstep.batch_differences import MADE
from reference.lockstep.clip_text import clip_text
from reference.lockstep.differences import Difference
from reference.lockstep.rates import rates_text
from reference.messages import plain

MOST = 6  # steps, or names, that are listed


def steps_text(steps: Sequence[int], total: int, where: str = "") -> str:
    """As 'every step', 'step 1 only', 'from step 7 on', '5 of 20 steps: 3, 4, 7'."""
    if len(steps) == total:
        return "every step" if total > 1 else "the one step"
    if len(steps) == 1:
        return f"step {steps[0]} only"
    first, last = steps[0], steps[-1]
    if not where and last - first + 1 == len(steps):
        return f"from step {first} on" if last == total else f"steps {first} to {last}"
    listed = ", ".join(map(str, steps[:MOST])) + (", ..." if len(steps) > MOST else "")
    return f"{len(steps)} of {total} steps: {where or listed}"


def difference_text(difference: Difference, total: int) -> str:
    """One difference in a line."""
    if difference.link == METRICS:
        return plain(f"{METRICS}, {_metrics(difference)}")
    words, where = _words(difference)
    steps = steps_text(difference.steps, total, where)
    return plain(f"{difference.link}, {steps}: {words}")


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
    if link == "optimizer" and name not in ("class", "in a group"):
        value = short(difference.a)
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


def _words(difference: Difference) -> tuple[str, str]:
    """What is unequal, with both values; and where, if that isn't told by the steps."""
    link, name, first = difference.link, difference.field, difference.first
    if link == "clip":
        return _clip(difference)
    if link == "gradient":
        return _gradient(difference), ""
    if link == "batch":
        return _batch(difference), ""
    if link == "schedule":
        return rates_text(difference), ""
    if link == "rng":
        names = dict.fromkeys(note["field"] for note in difference.notes)
        return f"the generators of {', '.join(names)} stand elsewhere", ""
    if link == "zeroed":
        return _zeroed(difference), ""
    if link in ("weights", "update"):
        return _weights(difference), ""
    if link == "mode":
        return _mode(difference), ""
    if link == "forward":
        return _forward(difference), ""
    if name == "in a group":
        which = ("A's", "B's") if difference.a else ("B's", "A's")
        share = f"{first['count']} of {first['total']} parameters, first {first['first']}"
        return f"{which[0]} has {share}; {which[1]} hasn't", ""
    values = f"{name} {both(difference.a, difference.b)}{distance(difference.a, difference.b)}"
    return values + _share(first), ""


def _metrics(difference: Difference) -> str:
    """Of the first evaluation that is unequal its fields, those that say most before the others."""
    after = [step - 1 for step in difference.steps]
    where = f"after step {after[0]}" + (f" and {len(after) - 1} more" if after[1:] else "")
    if difference.field == "evaluations":
        which = "A" if difference.a else "B"
        return f"{where}: an evaluation in {which} alone"
    first = [n for n in difference.notes if n["step"] == difference.steps[0] and not n["soft"]]
    told = [
        n for n in first if not isinstance(n["a"], str) or n["field"] in ("training", "autocast")
    ]
    texts = [f"{n['field']} {both(n['a'], n['b'])}{distance(n['a'], n['b'])}" for n in told[:MOST]]
    rest = ", ".join([n["field"] for n in first if n not in told][: MOST - len(texts)])
    return f"{where}: " + "; ".join([*texts, f"unequal {rest}"] if rest else texts)


def _share(note: dict[str, Any]) -> str:
    if "count" not in note or note["count"] == note["total"]:
        return ""
    of = "biases and norms: " if note.get("vectors") else ""
    return f", of {note['count']} of {note['total']} parameters ({of}first {note['first']})"


def _clip(difference: Difference) -> tuple[str, str]:
    first = difference.first
    if difference.field == "bound":
        rest = "" if "calls" in first else "; what comes out is the same"
        return f"{_call(difference.a)} and {_call(difference.b)}{rest}", ""
    texts = [_call(clip_text(clips)) for clips in first["clips"]]
    norms = f"the norm {short(first['norm'])} becomes {both(first['a'], first['b'])} in step "
    words = f"{texts[0]} and {texts[1]}; {norms}{first['step']}"
    if texts[0] == texts[1]:
        words = f"gradients are changed after the backward pass, by no known clip: {norms}"
        words += str(first["step"])
    bounds = [c["bound"] for clips in first["clips"] for c in clips if "norm" in c["name"]]
    norms_above = [n["norm"] for n in difference.notes]
    is_above = bool(bounds) and all(float(norm) > min(bounds) for norm in norms_above)
    return words, f"where the norm is above {min(bounds):g}" if is_above else ""


def _call(text: str | None) -> str:
    return text or "no clip"


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


def _gradient(difference: Difference) -> str:
    first = difference.first
    if difference.field == "loss":
        roots_text = both(difference.a, difference.b) + distance(difference.a, difference.b)
        return f"the loss that is backpropagated, of equal outputs: {roots_text}"
    if difference.field == "changed":
        values = both(difference.a, difference.b) + distance(difference.a, difference.b)
        found = [[c["norm"] for c in clips] for clips in first["clips"]]
        if found[0] != found[1] and len(found[0]) == len(found[1]) == 1:
            norms = both(found[0][0], found[1][0])
            return f"the clip finds a norm of {norms}: it gets other gradients; norm {values}"
        return (
            "gradients are changed between the backward pass and the step, beside the clip: "
            f"norm {values}"
        )
    absent = first.get("absent", [0, 0])
    if any(absent):
        return (
            f"{absent[0]} parameters have none in A, {absent[1]} in B "
            f"(first {first['first']}, of {first['total']})"
        )
    factor = first.get("factor")
    if factor is not None and abs(factor - 1) > 1e-6:
        times = factor if factor > 1 else 1 / factor
        which = "B's is" if factor > 1 else "A's is"
        other = "A's" if factor > 1 else "B's"
        words = f"{which} {times:.6g} times {other}, in every parameter"
    else:
        words = f"norm {both(difference.a, difference.b)}{distance(difference.a, difference.b)}"
        words += _share(first)
    roots = first.get("roots")
    if roots is not None and None not in roots[0] + roots[1]:
        losses = [each[0] if len(each) == 1 else each for each in roots]
        words += f"; the loss that is backpropagated: {both(*losses)}{distance(*losses)}"
        words += "; the model's outputs are equal, so it is made of them in another way"
    return words


def _batch(difference: Difference) -> str:
    name, first = difference.field, difference.first
    if name == "values":
        fields = [note["field"].partition(" ") for note in difference.notes]
        inputs = [name for kind, _, name in fields if kind == "input"]
        names = dict.fromkeys(inputs or [name for _, _, name in fields])
        return f"other rows ({', '.join(names)})"
    if name == MADE:
        return _made_of_a_batch(difference)
    if name == "passes":
        return f"{difference.a} and {difference.b} forward passes a step"
    if name == "rows":
        return f"{difference.a} and {difference.b} rows"
    if name == "width":
        sides = [sorted({note[side] for note in difference.notes}) for side in ("a", "b")]
        texts = [str(w[0]) if len(w) == 1 else f"{w[0]} to {w[-1]}" for w in sides]
        return f"{first['name']} is {texts[0]} wide in A, {texts[1]} in B"
    if name == "multiple":
        return (
            f"{first['name']} is padded to a multiple of {both(difference.a, difference.b)} places"
        )
    if name == "left":
        which = "A" if difference.a else "B"
        return f"rows are padded on the left in {which} alone ({first['name']} begins with zeros)"
    if name == "again":
        which = "A" if difference.a else "B"
        return f"a batch that {which} has had before"
    if name == "ids":
        which, other = ("A", "B") if difference.a else ("B", "A")
        return f"{first['name']} are the input_ids in {which}, and aren't in {other}: shifted, say"
    if name == "ignored inside":
        which = "A" if difference.a else "B"
        count = difference.a or difference.b
        return (
            f"{first['name']} are -100 at places that are no padding in {which} ({count} of them)"
        )
    if name == "mask":
        which = "A" if difference.notes[0]["a"] else "B"
        return f"{first['name']} leaves nothing out in {which}: padding, where there is any, counts"
    if name == "ignored labels":
        return f"{both(difference.a, difference.b)} labels are -100 in {first['name']}"
    if name.startswith("given "):
        which = "A" if difference.a else "B"
        return f"{name.removeprefix('given ')} is given to the model in {which} alone"
    if name.startswith("target "):
        which = "A" if difference.a else "B"
        return f"{name.removeprefix('target ')} is given to the model in {which} alone"
    return f"{name}: {both(difference.a, difference.b)}"


def _made_of_a_batch(difference: Difference) -> str:
    """The same rows, and what is unequal in what is made of them."""
    kind, _, name = difference.first["field"].partition(" ")
    whose = " of a model that doesn't train" if kind == "look" else ""
    unequal = [n for n in ("type", "shape", "ignored", "mean") if _unequal(difference, n)]
    told = [f"{n} {both(difference.a.get(n), difference.b.get(n))}" for n in unequal[:2]]
    values = f": {', '.join(told)}" if told else ""
    what = "targets" if kind == "target" else "inputs"
    return f"of the same batch other {what} are made ({name}{whose}){values}"


def _unequal(difference: Difference, fact: str) -> bool:
    return bool(difference.a.get(fact) != difference.b.get(fact))


def _zeroed(difference: Difference) -> str:
    if difference.field == "zeroed":
        which = "B" if difference.a else "A"
        return f"gradients of the step before are left in {which} when the backward pass begins"
    return "what is left of the gradients before the backward pass is unequal"


def _weights(difference: Difference) -> str:
    link, name, first = difference.link, difference.field, difference.first
    if name == "parameters alone":
        which = "A" if difference.a else "B"
        return f"{difference.a or difference.b} parameters are in {which} alone ({first['first']})"
    share = f"{first['count']} of {first['total']}"
    if name == "buffers":
        return f"{share} buffers, first {first['first']}"
    apart = first["furthest"]
    far = f", up to {apart:.2g} apart" if apart else ""
    before = {"update": "the step's result is unequal in ", "weights": "the first weights: "}[link]
    if "state_of_step" in first:
        counts = [f"{count:g}" for count in first["state_of_step"]]
        before = f"the optimizer's state is of its step {counts[0]} in A, {counts[1]} in B; so "
    if name == "of another model":
        before = f"{first['kind']}, which doesn't train, has other weights: "
    if name == "changed between steps":
        before = "weights are changed after one step and before the next: "
    return f"{before}{share} tensors, first {first['first']}{far}"


def _mode(difference: Difference) -> str:
    first = difference.first
    if difference.field == "of another model":
        kind = first["kind"]
        return (
            f"{kind}, which doesn't train, in {difference.a} mode in A, in {difference.b} mode in B"
        )
    if difference.field == "training":
        whole = first["count"] == first["total"]
        whose = "the model" if whole else f"{first['count']} of {first['total']} modules"
        at = "" if whole else f" (first {first['first'] or 'the model itself'})"
        return f"{whose} in {difference.a} mode in A, in {difference.b} mode in B{at}"
    word = "trained" if difference.b else "frozen"
    other = "frozen" if difference.b else "trained"
    share = f"{first['count']} of {first['total']} parameters, first {first['first']}"
    return f"{share}: {word} in A, {other} in B"


def _forward(difference: Difference) -> str:
    name, first = difference.field, difference.first
    values = both(difference.a, difference.b) + distance(difference.a, difference.b)
    if name == "outputs":
        known = f" {values}" if difference.a is not None else ""
        return f"the outputs are unequal though the inputs are equal: {first['first']}{known}"
    if name == "loss":
        functions = first.get("functions")
        of = f" ({functions[0]} and {functions[1]})" if functions else ""
        return f"the loss{of}: {values}"
    if name == "autocast":
        return f"autocast {both(difference.a, difference.b)}"
    modules = f"{first['count']} modules, first " if first.get("count", 1) > 1 else ""
    at = f" ({modules}{first['first']})" if "count" in first else ""
    return f"{name.removeprefix('setting ')}: {both(difference.a, difference.b)}{at}"
