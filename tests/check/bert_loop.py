"""A small BERT fine-tuned by hand for 40 steps; and the same with one of 25 faults in it."""

import copy
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    get_linear_schedule_with_warmup,
)

STEPS, EPOCHS, ROWS = 40, 4, 8
# Each with what `check` has to find; None where one ledger can't tell it from what is meant.
FAULTS: dict[str, str | None] = {
    "no clip": None,
    "decay of 0.01 on all": None,
    "decay on biases": "decay-groups-miss",
    "eval mode": "eval-mode-while-training",
    "never zeroed": "never-zeroed",
    "zeroed before step": "zeroed-before-step",
    "schedule never stepped": "schedule-never-stepped",
    "schedule stepped before the optimizer": "schedule-before-optimizer",
    "schedule stepped once an epoch": "schedule-too-seldom",
    "labels shuffled": None,
    "labels are the inputs": "labels-are-the-ids",
    "loss summed": "loss-summed",
    "loss not divided": "loss-not-divided",
    "encoder frozen by accident": "frozen-in-the-optimizer",
    "optimizer of another model": "optimizer-of-another-model",
    "the same batch again": "same-batch-always",
    "order repeats": "order-repeats",
    "mask not passed": "padding-without-mask",
    "generator reset": "generator-reset-each-step",
    "eval left on": "eval-mode-left-on",
    "softmax twice": "softmax-twice",
    "rate too high": "loss-grows",
    "warm-up too long": "warmup-longer-than-run",
    "average in its place": "weights-moved-between-steps",
    "evaluated on what is trained": None,
}


def rows(count: int, seed: int) -> list[dict[str, Tensor]]:
    """Rows of 6 to 12 tokens, padded to 12; the class is whether the first token is small."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        length = int(torch.randint(6, 13, (), generator=generator))
        ids = torch.randint(5, 60, (12,), generator=generator)
        mask = (torch.arange(12) < length).long()
        label = (ids[0] < 32).long()
        made.append({"input_ids": ids * mask, "attention_mask": mask, "labels": label})
    return made


def model_of(fault: str) -> Any:
    config = BertConfig(
        vocab_size=60,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    kind = BertForMaskedLM if fault == "labels are the inputs" else BertForSequenceClassification
    return kind(config)


def groups(model: nn.Module, fault: str) -> Any:
    if fault == "decay of 0.01 on all":
        return [{"params": list(model.parameters()), "weight_decay": 0.01}]
    # The fault has a name that no parameter has.
    spared = ("LayerNorm", "biases") if fault == "decay on biases" else ("LayerNorm", "bias")
    named = list(model.named_parameters())
    decayed = [p for n, p in named if not any(word in n for word in spared)]
    others = [p for n, p in named if any(word in n for word in spared)]
    return [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]


def batches(loader: DataLoader, fault: str) -> Iterator[Any]:
    for _ in range(EPOCHS):
        for batch in loader:
            yield next(iter(loader)) if fault == "the same batch again" else batch


def loss_of(model: Any, batch: dict[str, Tensor], fault: str) -> Tensor:
    batch = dict(batch)
    if fault == "mask not passed":
        batch.pop("attention_mask")
    if fault == "labels are the inputs":
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    if fault == "labels shuffled":
        batch["labels"] = batch["labels"][torch.randperm(len(batch["labels"]))]
    if fault in ("loss summed", "softmax twice"):
        labels = batch.pop("labels")
        logits = model(**batch).logits
        if fault == "loss summed":
            return nn.CrossEntropyLoss(reduction="sum")(logits, labels)
        return nn.CrossEntropyLoss()(logits.softmax(-1), labels)
    loss: Tensor = model(**batch).loss
    return loss


def evaluate(model: Any, held_out: list[dict[str, Tensor]], fault: str) -> None:
    model.eval()
    for batch in DataLoader(held_out, batch_size=16):
        with torch.no_grad():
            model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    if fault not in ("eval left on", "eval mode"):
        model.train()


def train(fault: str = "", *, seed: int = 0) -> None:
    """Train for 40 steps, with a fault of FAULTS or none."""
    torch.manual_seed(seed)
    passes = 2 if fault == "loss not divided" else 1
    training = rows(STEPS // EPOCHS * ROWS * passes, seed=1)
    held_out = training[:32] if fault == "evaluated on what is trained" else rows(32, seed=2)
    shuffle = fault not in ("order repeats", "the same batch again")
    loader = DataLoader(training, batch_size=ROWS, shuffle=shuffle)
    model = model_of(fault)
    if fault == "encoder frozen by accident":
        for parameter in model.bert.parameters():
            parameter.requires_grad = False
    rate = 10.0 if fault == "rate too high" else 1e-3
    optimizer = torch.optim.AdamW(groups(model, fault), lr=rate)
    if fault == "optimizer of another model":
        model = model_of(fault)
    warmup, length = (400, 800) if fault == "warm-up too long" else (0, STEPS)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, length)
    average = copy.deepcopy(model)
    if fault == "eval mode":
        model.eval()
    else:
        model.train()
    taken = 0
    every = iter(batches(loader, fault))
    while taken < STEPS:
        if fault == "generator reset":
            state = torch.get_rng_state()
        for _ in range(passes):
            batch = next(every)
            if fault == "generator reset":
                torch.manual_seed(3)
            loss_of(model, batch, fault).backward()
        if fault == "generator reset":
            torch.set_rng_state(state)
        if fault == "zeroed before step":
            optimizer.zero_grad()
        if fault != "no clip":
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if fault == "schedule stepped before the optimizer":
            schedule.step()
        optimizer.step()
        taken += 1
        ends_epoch = taken % (STEPS // EPOCHS) == 0
        by_epoch = fault == "schedule stepped once an epoch"
        before = fault in ("schedule stepped before the optimizer", "schedule never stepped")
        if not before and (ends_epoch or not by_epoch):
            schedule.step()
        if fault != "never zeroed":
            optimizer.zero_grad()
        if fault == "average in its place":
            with torch.no_grad():
                for mean, own in zip(average.parameters(), model.parameters(), strict=True):
                    mean.lerp_(own, 0.1)
            model.load_state_dict(average.state_dict())
        if ends_epoch:
            evaluate(model, held_out, fault)


TRAININGS = {fault: functools.partial(train, fault) for fault in FAULTS}
