"""The recipe: everything that determines a run, each value explicit.

    python -m reference train --help

Named recipes and those in files come out of `recipe_sources.py`.
"""

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Any

from reference.errors import InputError
from reference.lesson.recipe_fields import (
    DATA,
    MACHINE,
    MODEL,
    OPTIMIZER,
    SCHEDULE,
    Bounds,
    about,
    check,
    choice,
    number,
    parse,
    words,
)
from reference.lesson.tasks import get_task
from reference.messages import nearest

RECIPE_VERSION = 1
MANY = 2**31 - 1  # more of anything than a machine counts

POSITIVE = Bounds(0.0, above=True)
FROM_0 = Bounds(0)
COUNT_FROM_0 = Bounds(0, MANY)
FROM_1 = Bounds(1, MANY)
LENGTHS = Bounds(4, MANY)  # of a row, in tokens
THREADS = Bounds(1, 1024)


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run. The defaults are the lesson's run as `Trainer` does it.

    Names are those of `transformers.TrainingArguments` where it has one; the meaning of each field
    is what `python -m reference train --help` says of its option.

    Raises:
        InputError: a value makes no sense; names the field and the values that it takes.
    """

    name: str = words("embedded", DATA, "what the recipe is called; changes nothing")
    task: str = words(
        "mrpc",
        DATA,
        "GLUE's task: mrpc, sst2, cola, rte, qnli, qqp, mnli, stsb or wnli; or, of a table of your "
        "own, classification (what --text alone means) or regression",
    )
    data: str = words(
        "embedded",
        DATA,
        "embedded (a synthetic corpus in MRPC's shape; also for sst2), hub (nyu-mll/glue), or a "
        "folder with GLUE's files: TSV, CSV, parquet or saved datasets, such as FOLDER/MRPC/"
        "train.tsv. With --text: your own table, one file or a folder of train and validation: "
        "CSV, TSV, JSONL, parquet or a saved dataset",
    )
    text: str = words("", DATA, "your own table: the column of the texts")
    text_pair: str = words("", DATA, "your own table: the column of the second texts, of pairs")
    label: str = words("", DATA, "your own table: the column of the labels")
    checkpoint: str = words(
        "embedded",
        MODEL,
        "embedded (a small BERT made from code), minilm (pretrained, in the package's extra "
        "offline), a folder, or a hub name as bert-base-uncased: of any encoder within "
        "transformers (BERT, RoBERTa, DistilBERT, DeBERTa, ELECTRA, ModernBERT, ALBERT, ...)",
    )
    # NumPy takes no larger one.
    seed: int = number(
        42, Bounds(0, 2**32 - 1), DATA, "of the new head, dropout and the order of the data"
    )
    data_order: str = choice(
        "seeded",
        "global",
        "sequential",
        group=DATA,
        meaning="order of the training rows: seeded (the Trainer's: a permutation an epoch, from "
        "a generator of its own with seed + epoch), global (drawn from torch's global generator, "
        "as a plain DataLoader's shuffle=True), or sequential (as they stand)",
    )
    train_batch_size: int = number(8, FROM_1, DATA, "rows of a training batch")
    eval_batch_size: int = number(8, FROM_1, DATA, "rows of an evaluation batch")
    num_train_epochs: int = number(3, FROM_1, SCHEDULE, "epochs, where --max-steps is -1")
    max_steps: int = number(
        -1,
        Bounds(-1, MANY),
        SCHEDULE,
        "optimizer steps; goes before the number of epochs. -1: all the epochs",
    )
    max_length: int = number(
        512, LENGTHS, DATA, "tokens of a row, or of a pair; what is longer is cut off"
    )
    optimizer: str = choice(
        "adamw_torch_fused",
        "adamw_torch",
        group=OPTIMIZER,
        meaning="torch.optim.AdamW, fused (the Trainer's) or not",
    )
    learning_rate: float = number(5e-5, POSITIVE, OPTIMIZER, "at its highest, after the warm-up")
    accelerated_learning_rate: float | None = number(
        None,
        POSITIVE,
        OPTIMIZER,
        "the accelerated loop's own: the course's Accelerate listing uses 3e-5 where its plain "
        "loop uses 5e-5. none: the same",
    )
    # At 1.0 Adam divides by zero.
    adam_beta1: float = number(
        0.9, Bounds(0.0, 1.0, below=True), OPTIMIZER, "decay of Adam's mean of the gradient"
    )
    adam_beta2: float = number(
        0.999, Bounds(0.0, 1.0, below=True), OPTIMIZER, "decay of Adam's mean of its square"
    )
    adam_epsilon: float = number(1e-8, POSITIVE, OPTIMIZER, "added to Adam's denominator")
    weight_decay: float = number(
        0.0, FROM_0, OPTIMIZER, "of all weights but biases and norms, as in the Trainer"
    )
    max_grad_norm: float = number(
        1.0, FROM_0, OPTIMIZER, "gradients are clipped to this 2-norm. 0: no clip"
    )
    num_warmup_steps: int = number(
        0,
        COUNT_FROM_0,
        SCHEDULE,
        "steps in which the learning rate rises from 0, before it falls to 0",
    )
    gradient_accumulation_steps: int = number(
        1, FROM_1, SCHEDULE, "batches of which the gradients add up to one optimizer step"
    )
    eval_strategy: str = choice(
        "no",
        "epoch",
        "steps",
        group=SCHEDULE,
        meaning="when the model is evaluated beside the end: no, after each epoch, or after every "
        "--eval-steps steps",
    )
    eval_steps: int = number(
        100, FROM_1, SCHEDULE, "steps between two evaluations, with --eval-strategy steps"
    )
    dropout: float = number(
        0.1, Bounds(0.0, 0.99), MODEL, "probability, in the encoder's layers, attention and head"
    )
    sharing: str = choice(
        "exact",
        "split",
        "whole",
        group=MACHINE,
        meaning="what each of several processes gets of the batches: exact (its part of each, so "
        "that each row counts once and the same), split (the same, but a batch that doesn't divide "
        "is filled up with rows of the first: Accelerate's split_batches), or whole (a batch of "
        "its own, so that a step has as many as there are processes: Accelerate's default)",
    )
    fsdp: str = choice(
        "no",
        "full_shard",
        group=MACHINE,
        meaning="full_shard: each of several processes keeps its part of each weight (torch's "
        "FSDP2, in the Accelerate loop)",
    )
    mixed_precision: str = choice(
        "no", "bf16", group=MACHINE, meaning="bf16 runs the forward pass under torch.autocast"
    )
    device: str = choice(
        "auto", "cpu", "cuda", group=MACHINE, meaning="auto: one GPU where there is one"
    )
    num_threads: int = number(
        1, THREADS, MACHINE, "torch's threads on a CPU; another number may give other bits"
    )

    def __post_init__(self) -> None:
        if self.mixed_precision == "fp16":  # more than "none of": somebody may well ask for it
            raise InputError(
                "mixed_precision: fp16 needs a loss scaler, which these loops leave out, and on a "
                "CPU it computes fp32 in silence; use bf16 or no"
            )
        for name in FIELDS:
            check(name, about(FIELDS[name]), _HINTS[name], getattr(self, name))
        if not get_task(self.task).own:
            for name in ("text", "text_pair", "label"):
                if getattr(self, name):
                    raise InputError(
                        f"{name}: is for a table of your own, and task {self.task} is GLUE's; give "
                        "--task classification or regression"
                    )
        elif not self.text or not self.label:
            raise InputError(
                f"task {self.task}: is on a table of your own; give its columns, --text and --label"
            )
        if self.max_steps == 0:
            raise InputError("max_steps: 0 trains nothing; give -1 for all epochs, or 1 and up")

    @property
    def is_regression(self) -> bool:
        """Whether the model gives a number, and no class."""
        return get_task(self.task).regression

    def duration(self, batches_per_epoch: int) -> tuple[int, int]:
        """How long this run is, on so many batches an epoch: (epochs, optimizer steps).

        A last, smaller window of accumulated batches is a step too, and `max_steps` goes before
        `num_train_epochs`: both as in `Trainer`.
        """
        steps_per_epoch = self.steps_per_epoch(batches_per_epoch)
        if self.max_steps > 0:
            return math.ceil(self.max_steps / steps_per_epoch), self.max_steps
        return self.num_train_epochs, self.num_train_epochs * steps_per_epoch

    def evaluation_steps(self, batches_per_epoch: int) -> range:
        """The steps before the last one after which the model is evaluated, as `Trainer` does it.

        Whatever the strategy, it is evaluated after the last step, too.
        """
        _, last = self.duration(batches_per_epoch)
        each_epoch = self.steps_per_epoch(batches_per_epoch)
        every = {"no": last, "epoch": each_epoch, "steps": self.eval_steps}[self.eval_strategy]
        return range(every, last, every)

    def steps_per_epoch(self, batches_per_epoch: int) -> int:
        """How many optimizer steps so many batches make; the last window may hold fewer."""
        return math.ceil(batches_per_epoch / self.gradient_accumulation_steps)

    def batches_per_epoch(self, rows: int, num_processes: int = 1) -> int:
        """How many batches each process has of so many training rows; the last may be smaller."""
        batches = math.ceil(rows / self.train_batch_size)
        return math.ceil(batches / num_processes) if self.sharing == "whole" else batches

    def for_loop(self, loop: str) -> "Recipe":
        """The recipe that one loop gets: the lesson gives its Accelerate loop another rate."""
        rate = self.learning_rate
        if loop == "accelerated" and self.accelerated_learning_rate is not None:
            rate = self.accelerated_learning_rate
        return dataclasses.replace(self, learning_rate=rate, accelerated_learning_rate=None)

    def to_json(self) -> dict[str, Any]:
        """The recipe as its file and a ledger's header hold it: every field, and a version."""
        return {"version": RECIPE_VERSION, **dataclasses.asdict(self)}


FIELDS = {f.name: f for f in dataclasses.fields(Recipe)}
_HINTS = typing.get_type_hints(Recipe)  # worked out once: it takes a tenth of a millisecond

# What people type for a field, as other trainers call it.
ALIASES = {"lr": "learning_rate", "batch_size": "train_batch_size", "epochs": "num_train_epochs"}


def parse_field(name: str, words: str) -> Any:
    """The value of a field out of a command line's text; InputError if it can't be read."""
    return parse(name, _HINTS[name], words)


def unknown_field(name: str) -> InputError:
    """The error for a name that is no field's, with what was probably meant."""
    if name in ALIASES:
        return InputError(f"unknown recipe field {name!r}: it is called {ALIASES[name]}")
    return nearest("recipe field", name, FIELDS)
