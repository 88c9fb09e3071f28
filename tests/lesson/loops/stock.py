"""Is the Trainer that trains the stock one? For `test_trainer.py`, in a process of its own.

    python -m tests.lesson.loops.stock DATA FOLDER

What the Trainer's modules and classes hold is noted before anything of this project is imported.
In a run's first step, with no hook but PyTorch's, it is compared, object by object, and the Trainer
is found and looked at. Once as it is, then with changes planted, each of which must be seen.
Prints a JSON object: change -> what was found.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accelerate
import torch
from torch.nn.modules.module import register_module_forward_hook
from transformers import (
    DefaultFlowCallback,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    trainer,
    trainer_callback,
    training_args,
)

MODULES = (trainer, trainer_callback, training_args)
CLASSES = {k for m in MODULES for k in vars(m).values() if isinstance(k, type)}
CLASSES |= {base for kind in CLASSES for base in kind.__mro__}
CLASSES |= {accelerate.Accelerator, torch.utils.data.DataLoader, torch.optim.AdamW}
NOTED = {
    place: dict(vars(place))
    for place in (*MODULES, *CLASSES)
    if place.__name__.startswith("transformers")
    or getattr(place, "__module__", "").split(".")[0] in ("transformers", "accelerate", "torch")
}
# What the observer stands before while it keeps a ledger, of any training: the loader that is begun
# is the stock one.
OBSERVED = {"DataLoader.__iter__"}
# A progress bar or a printer, by the log's level; both are there without anybody's asking.
DEFAULT = (DefaultFlowCallback, ProgressCallback, PrinterCallback)


def differences() -> list[str]:
    """What isn't as it was, and what isn't stock in the Trainer that trains now."""
    found = [
        f"{place.__name__}.{name}"
        for place, values in NOTED.items()
        for name, value in values.items()
        if vars(place).get(name) is not value and f"{place.__name__}.{name}" not in OBSERVED
    ]
    trainers = [o for o in gc.get_objects() if Trainer in type(o).__mro__]
    if len(trainers) != 1:
        return [*found, f"{len(trainers)} Trainers"]
    (one,) = trainers
    callbacks = one.callback_handler.callbacks
    found += [f"a callback {type(c).__name__}" for c in callbacks if type(c) not in DEFAULT]
    found += [f"a subclass {type(one).__name__}"] * (type(one) is not Trainer)
    found += [f"a subclass {type(one.args).__name__}"] * (type(one.args) is not TrainingArguments)
    for thing in (one, one.args, *callbacks):
        shadowed = (n for n in vars(thing) if callable(getattr(type(thing), n, None)))
        found += [f"a {type(thing).__name__}'s own {name}" for name in shadowed]
    return found


def nothing(*_: Any, **__: Any) -> None:
    """In a method's place."""


def altered(change: Callable[[Trainer], object]) -> Callable[..., Trainer]:
    def make(*args: Any, **kwargs: Any) -> Trainer:
        made = Trainer(*args, **kwargs)
        change(made)
        return made

    return make


def main(data: str, folder: Path) -> None:
    from reference.lesson.recipe_sources import load_recipe
    from reference.run.one_run import run

    loop = importlib.import_module("reference.lesson.loops.trainer")
    recipe = load_recipe("embedded", {"data": data, "device": "cpu", "max_steps": 1})

    def look() -> list[str]:
        found: list[list[str]] = []

        def once(*_: Any) -> None:
            if not found:
                found.append(differences())

        hook = register_module_forward_hook(once)
        try:
            run(recipe, "trainer", folder / str(len(results)))
        finally:
            hook.remove()
        gc.collect()
        return found[0]

    results: dict[str, list[str]] = {}
    results["none"] = look()
    planted: dict[str, tuple[Any, str, Any]] = {
        "a method": (Trainer, "store_flos", nothing),
        "an argument's default": (TrainingArguments, "max_grad_norm", 2.0),
        "a method of the arguments": (TrainingArguments, "get_warmup_steps", lambda *_: 0),
        "a callback's method": (ProgressCallback, "on_log", nothing),
        "a name in its module": (trainer, "set_seed", nothing),
        "a subclass": (loop, "Trainer", type("Mine", (Trainer,), {})),
        "a further callback": (
            loop,
            "Trainer",
            altered(lambda made: made.add_callback(TrainerCallback())),
        ),
        "an instance's method": (
            loop,
            "Trainer",
            altered(lambda made: vars(made).update(store_flos=nothing)),
        ),
    }
    for change, (place, name, value) in planted.items():
        before = getattr(place, name)
        setattr(place, name, value)
        try:
            results[change] = look()
        finally:
            setattr(place, name, before)
    results["none, again"] = look()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
