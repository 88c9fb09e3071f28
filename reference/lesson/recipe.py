"""The recipe: everything that determines a run, each value explicit, and the three named ones.

Run one: `python -m reference compare --recipe embedded`
"""

import dataclasses
import difflib
import json
import math
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.errors import InputError

RECIPE_VERSION = 1


def _choice(default: str, *others: str) -> Any:
    return field(default=default, metadata={"choices": (default, *others)})


def _number(
    default: float | None,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> Any:
    """A number with low <= value <= high; `above` leaves `low` itself out, and `below` `high`."""
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run. The defaults are the lesson's run as `Trainer` does it.

    Names are those of `transformers.TrainingArguments` where it has one. Raises InputError for
    a value that makes no sense, naming the field.
    """

    name: str = "embedded"
    task: str = "mrpc"
    data: str = "embedded"  # embedded, hub, or a folder
    checkpoint: str = "embedded"  # embedded, minilm, a folder, or a hub name
    seed: int = _number(42, 0, 2**32 - 1)  # NumPy takes no larger one
    data_order: str = _choice("seeded", "global", "sequential")
    train_batch_size: int = _number(8, 1)
    eval_batch_size: int = _number(8, 1)
    num_train_epochs: int = _number(3, 1)
    max_steps: int = _number(-1, -1)  # -1: all the epochs
    max_length: int = _number(512, 4)  # in tokens; longer inputs are truncated
    optimizer: str = _choice("adamw_torch_fused", "adamw_torch")
    learning_rate: float = _number(5e-5, 0.0, above=True)
    # The lesson's Accelerate listing uses 3e-5 where its plain loop uses 5e-5. None: the same.
    accelerated_learning_rate: float | None = _number(None, 0.0, above=True)
    adam_beta1: float = _number(0.9, 0.0, 1.0, below=True)  # at 1.0 Adam divides by zero
    adam_beta2: float = _number(0.999, 0.0, 1.0, below=True)
    adam_epsilon: float = _number(1e-8, 0.0, above=True)
    weight_decay: float = _number(0.0, 0.0)  # never on biases and norms, as in `Trainer`
    max_grad_norm: float = _number(1.0, 0.0)  # 0: no clip, as in `Trainer`
    num_warmup_steps: int = _number(0, 0)
    gradient_accumulation_steps: int = _number(1, 1)
    dropout: float = _number(0.1, 0.0, 0.99)
    mixed_precision: str = _choice("no", "bf16")
    device: str = _choice("auto", "cpu", "cuda")
    num_threads: int = _number(1, 1)

    def __post_init__(self) -> None:
        if self.mixed_precision == "fp16":  # more than "none of": somebody may well ask for it
            raise InputError(
                "mixed_precision: fp16 needs a loss scaler, which these loops leave out, and on a "
                "CPU it computes fp32 in silence; use bf16 or no"
            )
        for f in dataclasses.fields(self):
            _check(f, getattr(self, f.name))
        if self.max_steps == 0:
            raise InputError("max_steps: 0 trains nothing; give -1 for all epochs, or 1 and up")

    def duration(self, batches_per_epoch: int) -> tuple[int, int]:
        """(epochs, optimizer steps) of this run on so many batches an epoch.

        A last, smaller window of accumulated batches is a step too, and `max_steps` goes before
        `num_train_epochs`: both as in `Trainer`.
        """
        steps_per_epoch = math.ceil(batches_per_epoch / self.gradient_accumulation_steps)
        if self.max_steps > 0:
            return math.ceil(self.max_steps / steps_per_epoch), self.max_steps
        return self.num_train_epochs, self.num_train_epochs * steps_per_epoch

    def batches_per_epoch(self, rows: int) -> int:
        """How many batches so many training rows make; the last one may be smaller."""
        return math.ceil(rows / self.train_batch_size)

    def for_loop(self, loop: str) -> "Recipe":
        """The recipe that one loop gets: the lesson gives its Accelerate loop another rate."""
        rate = self.learning_rate
        if loop == "accelerated" and self.accelerated_learning_rate is not None:
            rate = self.accelerated_learning_rate
        return dataclasses.replace(self, learning_rate=rate, accelerated_learning_rate=None)

    def to_json(self) -> dict[str, Any]:
        return {"version": RECIPE_VERSION, **dataclasses.asdict(self)}


FIELDS = {f.name: f for f in dataclasses.fields(Recipe)}
_TYPES = typing.get_type_hints(Recipe)


def _check(f: "dataclasses.Field[Any]", value: Any) -> None:
    """Raise InputError unless `value` has the field's type and lies within its bounds."""
    expected = typing.get_type_hints(Recipe)[f.name]
    allowed = typing.get_args(expected) or (expected,)
    fits = type(value) in allowed or (type(value) is int and float in allowed)
    if not fits:
        names = " or ".join(getattr(t, "__name__", str(t)) for t in allowed)
        raise InputError(f"{f.name}: {value!r} is not of type {names}")
    choices = f.metadata.get("choices")
    if choices and value not in choices:
        raise InputError(
            f"{f.name}: {value!r} is none of {', '.join(choices)}{_near(value, choices)}"
        )
    if "low" in f.metadata and value is not None:
        low, high, above, below = (f.metadata[k] for k in ("low", "high", "above", "below"))
        within = low <= value <= high and abs(value) != math.inf  # NaN is within nothing
        if not within or (above and value == low) or (below and value == high):
            bound = f"above {low:g}" if above else f"{low:g} or more"
            top = f" and {'below' if below else 'at most'} {high:.15g}" if high != math.inf else ""
            raise InputError(f"{f.name}: {value} makes no sense; give a number {bound}{top}")


def _near(word: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def nearest(what: str, word: str, known: typing.Iterable[str]) -> InputError:
    """The error for an unknown name: the nearest, and then all known ones."""
    known = list(known)
    return InputError(f"unknown {what} {word!r}{_near(word, known)}; known: {', '.join(known)}")


def parse_field(name: str, text: str) -> Any:
    """The value of a field out of a command line's text; InputError if it can't be read."""
    kinds = typing.get_args(_TYPES[name]) or (_TYPES[name],)
    if type(None) in kinds and text.lower() == "none":
        return None
    kind = next(k for k in kinds if k is not type(None))
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name}: {text!r} is not a number of type {kind.__name__}") from None


# The embedded checkpoint is small and new, and learns at its own rate (see reference/embedded).
EMBEDDED = Recipe(learning_rate=5e-4)
COURSE = Recipe(name="course", data="hub", checkpoint="bert-base-uncased")
# The lesson's hand-written loops, to the letter. The AdamW of its day added eps before the bias
# correction, so torch's with the same eps is close to it and not equal.
COURSE_AS_WRITTEN = dataclasses.replace(
    COURSE,
    name="course-as-written",
    adam_epsilon=1e-6,
    max_grad_norm=0.0,
    data_order="global",
    optimizer="adamw_torch",
    accelerated_learning_rate=3e-5,
)
RECIPES = {r.name: r for r in (EMBEDDED, COURSE, COURSE_AS_WRITTEN)}


def load_recipe(source: str, overrides: dict[str, Any] | None = None) -> Recipe:
    """A named recipe, or a run's `recipe.json`, with some fields replaced.

    Raises InputError for an unknown name, a file that isn't a recipe, or a misspelt field.
    """
    if source in RECIPES:
        recipe = RECIPES[source]
    elif source.endswith(".json"):
        recipe = _read_recipe(Path(source))
    else:
        raise nearest("recipe", source, RECIPES)
    for name in overrides or {}:
        if name not in FIELDS:
            raise nearest("recipe field", name, FIELDS)
    overrides = dict(overrides or {})
    # A learning rate that somebody asks for is meant for all loops.
    if "learning_rate" in overrides:
        overrides.setdefault("accelerated_learning_rate", None)
    return dataclasses.replace(recipe, **overrides)


def _read_recipe(path: Path) -> Recipe:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a recipe's name or its recipe.json") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable recipe ({error}); make it anew") from None
    if not isinstance(values, dict) or values.pop("version", None) != RECIPE_VERSION:
        raise InputError(f"{path}: field version: not a recipe of version {RECIPE_VERSION}")
    for name in values:
        if name not in FIELDS:
            raise InputError(f"{path}: {nearest('recipe field', name, FIELDS)}")
    try:
        recipe = Recipe(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for name in FIELDS:
        if name not in values:
            raise InputError(f"{path}: field {name}: missing; a recipe's file gives every value")
    return recipe
