"""Deviations of which parameters the optimizer has: another model's, not all, or frozen ones.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.clues.clue import Clue, part
from reference.deviations.clues.optimizer import held
from reference.deviations.clues.recipe_model import parameter_names
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import after, before, imports

PIECES = imports("from reference.deviations import loop_parts")


def _strangers(clue: Clue) -> bool:
    return bool(part(clue.theirs, "optimizer", "strangers") != 0)


def _left_out(clue: Clue) -> list[tuple[str, ...]]:
    """The modules whose parameters have a gradient and are in no group of theirs."""
    return _marked(clue, held(clue.theirs), "x")


def _frozen(clue: Clue) -> list[tuple[str, ...]]:
    """Those that have no gradient."""
    return _marked(clue, str(part(clue.theirs, "gradient", "tensors") or "").split(), "-")


def _marked(clue: Clue, marks: list[str], mark: str) -> list[tuple[str, ...]]:
    """The modules of the parameters with this mark, where some have it and some have not."""
    names = parameter_names(clue.recipe)
    out = {n for n, m in zip(names, marks, strict=False) if m == mark}
    whole = len(marks) == len(names) and 0 < len(out) < len(names)
    return [_modules(names, out)] if whole else []


def _modules(names: list[str], out: set[str]) -> tuple[str, ...]:
    """The fewest modules, or single parameters, that hold just these."""
    found: list[str] = []
    for name in (n for n in names if n in out):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            module = ".".join(parts[:depth])
            inside = {n for n in names if n == module or n.startswith(f"{module}.")}
            if inside <= out:
                found.append(module)
                break
    return tuple(dict.fromkeys(found))


DEVIATIONS = (
    Deviation(
        "optimizer-before-model",
        40,
        # The optimizer holds parameters that nobody trains: seen there, before the update.
        "optimizer",
        "The optimizer was built before the model was replaced, and holds the old one's "
        "parameters: nothing is trained.",
        "accelerate#2665, accelerate#3256",
        "always",
        (
            imports("import copy"),
            before("progress_bar = tqdm(", "model = copy.deepcopy(model)"),
        ),
        # Whatever clips reads `model`, and zeroing reads the optimizer: see `gradient` at step 2.
        also=("update", "gradient"),
        fits=_strangers,
    ),
    Deviation(
        "parameters-left-out",
        41,
        "optimizer",
        "Some modules' parameters were never given to the optimizer.",
        "none",
        "always",
        (
            PIECES,
            after(
                "num_epochs, num_training_steps = recipe.duration(len(train_dataloader))",
                "for name, parameter in model.named_parameters():\n"
                "    if loop_parts.in_modules(VALUE, name):\n"
                "        for group in optimizer.param_groups:\n"
                '            group["params"] = [p for p in group["params"] if p is not parameter]',
            ),
        ),
        also=("update",),
        value=("bert",),
        values=_left_out,
    ),
    Deviation(
        "frozen",
        41,
        # They have no gradient, and the others' norm is another: seen before the optimizer.
        "gradient",
        "Some modules' parameters are frozen (`requires_grad` is off).",
        "none",
        "always",
        (
            PIECES,
            before(
                "optimizer = AdamW(",
                "for name, parameter in model.named_parameters():\n"
                "    parameter.requires_grad = not loop_parts.in_modules(VALUE, name)",
            ),
        ),
        also=("weights", "clip", "optimizer", "update"),
        value=("bert.embeddings",),
        values=_frozen,
    ),
)
