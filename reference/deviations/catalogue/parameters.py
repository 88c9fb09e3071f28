"""Deviations of which parameters the optimizer has: another model's, not all, or frozen ones."""

from reference.deviations.anchors import DURATION, LOOP_PARTS, PROGRESS_BAR
from reference.deviations.citations import NO_REPORT
from reference.deviations.clues.clue import Clue, part
from reference.deviations.clues.optimizer import gradient_of_each, group_of_each
from reference.deviations.clues.recipe_model import parameter_names
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import after, before, imports
from reference.ledger.marks import ABSENT, NO_GROUP


def _holds_strangers(clue: Clue) -> bool:
    """Their optimizer holds parameters that no model of the run has, or nothing says."""
    return bool(part(clue.theirs, "optimizer", "strangers") != 0)


def _left_out(clue: Clue) -> list[tuple[str, ...]]:
    """The modules whose parameters have a gradient and are in no group of theirs."""
    return _marked(clue, group_of_each(clue.theirs), NO_GROUP)


def _without_gradient(clue: Clue) -> list[tuple[str, ...]]:
    """The modules whose parameters have no gradient."""
    return _marked(clue, gradient_of_each(clue.theirs), ABSENT)


def _marked(clue: Clue, marks: list[str], mark: str) -> list[tuple[str, ...]]:
    """The modules of the parameters with this mark, where some have it and some have not."""
    names = parameter_names(clue.recipe)
    marked = {n for n, m in zip(names, marks, strict=False) if m == mark}
    some = len(marks) == len(names) and 0 < len(marked) < len(names)
    return [_modules(names, marked)] if some else []


def _modules(names: list[str], marked: set[str]) -> tuple[str, ...]:
    """The fewest modules, or single parameters, that hold just the marked parameters."""
    modules: list[str] = []
    for name in (n for n in names if n in marked):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            module = ".".join(parts[:depth])
            inside = {n for n in names if n == module or n.startswith(f"{module}.")}
            if inside <= marked:
                modules.append(module)
                break
    return tuple(dict.fromkeys(modules))


DEVIATIONS = (
    Deviation(
        name="optimizer-before-model",
        row=40,
        # The optimizer holds parameters that no pass uses: seen there, before the update.
        link="optimizer",
        # Clipping goes through `model` and zeroing through the optimizer, so that the new model's
        # gradients are never zeroed: `gradient` is unequal at step 2.
        also_in=("update", "gradient"),
        summary=(
            "The optimizer was built before the model was replaced, and holds the old one's "
            "parameters: nothing is trained."
        ),
        shows_when="always",
        citation="accelerate#2665; accelerate#3256",
        edits=(
            imports("import copy"),
            before(PROGRESS_BAR, "model = copy.deepcopy(model)"),
        ),
        suggested_by=_holds_strangers,
    ),
    Deviation(
        name="parameters-left-out",
        row=41,
        link="optimizer",
        also_in=("update",),
        summary="Some modules' parameters were never given to the optimizer.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(
            LOOP_PARTS,
            after(
                DURATION,
                "for name, parameter in model.named_parameters():\n"
                "    if loop_parts.in_modules(VALUE, name):\n"
                "        for group in optimizer.param_groups:\n"
                '            group["params"] = [p for p in group["params"] if p is not parameter]',
            ),
        ),
        default_value=("bert",),
        values_to_try=_left_out,
    ),
    Deviation(
        name="frozen",
        row=41,
        # They have no gradient, and the others' norm is another: seen before the optimizer.
        link="gradient",
        also_in=("weights", "clip", "optimizer", "update"),
        summary="Some modules' parameters are frozen (`requires_grad` is off).",
        shows_when="always",
        citation=NO_REPORT,
        edits=(
            LOOP_PARTS,
            before(
                "optimizer = AdamW(",
                "for name, parameter in model.named_parameters():\n"
                "    parameter.requires_grad = not loop_parts.in_modules(VALUE, name)",
            ),
        ),
        default_value=("bert.embeddings",),
        values_to_try=_without_gradient,
    ),
)
