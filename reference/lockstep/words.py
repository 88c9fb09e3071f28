"""A difference in words: the link, the steps, and both values."""

from collections.abc import Sequence
from typing import Any

from reference.diff.value_text import both, distance, short
from reference.ledger.link_table import METRICS
from reference.lockstep.batch_text import batch_text
from reference.lockstep.clip_text import clip_text
from reference.lockstep.differences import Difference
from reference.lockstep.links import SEED
from reference.lockstep.pass_weights import WEIGHT
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


def _words(difference: Difference) -> tuple[str, str]:
    """What is unequal, with both values; and where, if that isn't told by the steps."""
    link, name, first = difference.link, difference.field, difference.first
    if link == "clip":
        return _clip(difference)
    if link == "gradient":
        return _gradient(difference), ""
    if link == "batch":
        return batch_text(difference), ""
    if link == "schedule":
        return rates_text(difference), ""
    if link == "rng":
        names = dict.fromkeys(note["field"] for note in difference.notes)
        where = f"the generators of {', '.join(names)} stand elsewhere"
        since = "" if name == SEED else ": the scripts draw otherwise from them between two passes"
        return where + since, ""
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
    if name == "state":
        return _state(first), ""
    values = f"{name} {both(difference.a, difference.b)}{distance(difference.a, difference.b)}"
    return values + _share(first), ""


def _state(first: dict[str, Any]) -> str:
    """Of an optimizer: how many steps it has counted, or what is unequal in it."""
    share = f"of {first['parameters']} parameters, first {first['first']}"
    if first["counts"] is not None:
        counts = ["none" if c is None else f"step {float(c):g}" for c in first["counts"]]
        return f"its state, {share}, is of {counts[0]} in A, of {counts[1]} in B"
    if None in (first["a"], first["b"]):
        return f"its state, {share}: in {'B' if first['a'] is None else 'A'} alone"
    return f"its state ({', '.join(first['names'])}), {share}, is unequal"


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


def _gradient(difference: Difference) -> str:
    first = difference.first
    if difference.field == "weight of a pass":
        return f"B's passes of one step weigh {', '.join(map(short, difference.b))}"
    if difference.field == WEIGHT:
        a, b = first["passes"]
        return (
            f"each of B's passes weighs {short(difference.b)} times what A's does: with {a} and "
            f"{b} of them a step it would be {short(difference.a)}"
        )
    if difference.field == "loss":
        roots_text = both(difference.a, difference.b) + distance(difference.a, difference.b)
        return f"the loss that is backpropagated, of equal outputs: {roots_text}"
    if difference.field == "changed":
        if "when" in first:
            return (
                f"gradients are changed {first['when']} the clip, by no known one, in one of them"
            )
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
