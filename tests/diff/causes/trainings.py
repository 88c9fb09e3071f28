"""Small trainings with one fault each, of kinds that people reported: what the tests are made of.

Each takes `fault` and trains; without it the training is as it was meant.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    one_hot,
    softmax,
)
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd

Training = Callable[[bool], Any]
TRAININGS: dict[str, Training] = {}


def training(train: Training) -> Training:
    """One of them, by its name."""
    TRAININGS[train.__name__.replace("_", " ")] = train
    return train


def with_dropout(p: float = 0.5) -> nn.Sequential:
    made: nn.Sequential = seeded(
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(p), nn.Linear(6, 3))
    )
    return made


def steps(
    model: nn.Module,
    optimizer: Optimizer,
    batches: list[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> None:
    for x, y in batches:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()


def batches(count: int = 4, **shape: Any) -> list[tuple[Tensor, Tensor]]:
    return [(rows(seed=n, **shape), labels(seed=n)) for n in range(count)]


# Modes.


@training
def eval_mode_after_an_evaluation(fault: bool) -> None:
    model = with_dropout()
    for step in range(4):
        fit(model, steps=1, first=step)
        if step == 1:
            model.eval()
            with torch.no_grad():
                model(rows(seed=99))
            model.train(not fault)


@training
def evaluation_in_train_mode(fault: bool) -> None:
    model = with_dropout()
    fit(model, steps=2)
    model.train(fault)
    with torch.no_grad():
        model(rows(seed=99))


@training
def autocast(fault: bool) -> None:
    model = mlp()
    with torch.autocast("cpu", torch.bfloat16, enabled=fault):
        fit(model)


@training
def frozen_batch_norm_in_train_mode(fault: bool) -> None:
    body = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)))
    model = nn.Sequential(body, seeded(lambda: nn.Linear(6, 3)))
    body.requires_grad_(False)
    model.train()
    body.train(fault)
    fit(model)


# Losses and gradients.


@training
def loss_summed(fault: bool) -> None:
    fit(mlp(), loss=lambda out, y: cross_entropy(out, y, reduction="sum" if fault else "mean"))


@training
def loss_module_summed(fault: bool) -> None:
    fit(mlp(), loss=nn.CrossEntropyLoss(reduction="sum" if fault else "mean"))


@training
def loss_not_divided(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        for part in range(4):
            seed = 4 * step + part
            loss = cross_entropy(model(rows(seed=seed)), labels(seed=seed))
            (loss if fault else loss / 4).backward()
        optimizer.step()


@training
def accumulates_less(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    for seed in range(8):
        cross_entropy(model(rows(seed=seed)), labels(seed=seed)).backward()
        if (seed + 1) % (2 if fault else 4) == 0:
            optimizer.step()
            optimizer.zero_grad()


@training
def never_zeroed(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        optimizer.step()
        if not fault:
            optimizer.zero_grad()


@training
def zeroed_before_the_step(fault: bool) -> None:
    model = mlp()
    optimizer = AdamW(model.parameters(), 0.1)
    for step in range(3):
        cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
        if fault:
            optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        optimizer.zero_grad()


@training
def label_smoothing_by_hand(fault: bool) -> None:
    fit(mlp(), loss=lambda out, y: cross_entropy(out, y, label_smoothing=0.1 * fault))


@training
def detached_encoder(fault: bool) -> None:
    def call(self: Any, x: Tensor) -> Any:
        hidden = self.encoder(x)
        return self.head(hidden.detach() if fault else hidden)

    fit(seeded(lambda: Named(call, encoder=nn.Linear(4, 6), head=nn.Linear(6, 3))))


@training
def frozen_part(fault: bool) -> None:
    model = mlp()
    model[0].requires_grad_(not fault)
    fit(model)


# Between the gradients and the step.


def clipped(clip: Callable[[nn.Module], Any]) -> None:
    model = mlp()
    optimizer = sgd(model)
    for x, y in batches():
        optimizer.zero_grad()
        (10 * cross_entropy(model(x), y)).backward()
        clip(model)
        optimizer.step()


@training
def no_clip(fault: bool) -> None:
    clipped(lambda m: None if fault else nn.utils.clip_grad_norm_(m.parameters(), 1.0))


@training
def another_clip(fault: bool) -> None:
    clipped(lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.1 if fault else 1.0))


@training
def clip_by_value(fault: bool) -> None:
    def clip(model: nn.Module) -> None:
        if fault:
            nn.utils.clip_grad_value_(model.parameters(), 0.1)
        else:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    clipped(clip)


@training
def clip_before_unscale(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    for x, y in batches():
        optimizer.zero_grad()
        scaler.scale(cross_entropy(model(x), y)).backward()
        if not fault:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        scaler.step(optimizer)
        scaler.update()


# Optimizers and schedules.


@training
def weight_decay_by_default(fault: bool) -> None:
    model = mlp()
    fit(model, AdamW(model.parameters(), 0.01, **({} if fault else {"weight_decay": 0.0})))


@training
def adam_for_adamw(fault: bool) -> None:
    model = mlp()
    make = Adam if fault else AdamW
    fit(model, make(model.parameters(), 0.01, weight_decay=0.1))


@training
def head_not_in_the_optimizer(fault: bool) -> None:
    model = mlp()
    fit(model, SGD((model[0] if fault else model).parameters(), 0.1))


def scheduled(shape: Callable[[int], float], order: str = "after", stepped: bool = True) -> None:
    model = mlp()
    optimizer = sgd(model)
    schedule = LambdaLR(optimizer, shape)
    for x, y in batches(6):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        if stepped and order == "before":
            optimizer._opt_called = True  # type: ignore[attr-defined]  # torch warns of it
            schedule.step()
        optimizer.step()
        if stepped and order == "after":
            schedule.step()


@training
def schedule_of_another_length(fault: bool) -> None:
    total = 60 if fault else 6
    scheduled(lambda step: 1 - step / total)


@training
def schedule_not_stepped(fault: bool) -> None:
    scheduled(lambda step: 1 - step / 6, stepped=not fault)


@training
def warm_up_left_out(fault: bool) -> None:
    scheduled(lambda step: 1.0 if fault else min(1, (step + 1) / 4))


@training
def state_not_resumed(fault: bool) -> None:
    """Not a fault of one training, but of one that goes on: see `resumed` in the test."""
    model = mlp()
    optimizer = sgd(model, momentum=0.9)
    fit(
        model,
        optimizer,
        after=lambda step: optimizer.state.clear() if fault and step == 3 else None,
    )


@training
def no_seed_before_dropout(fault: bool) -> None:
    model = with_dropout()
    torch.manual_seed(3 + fault)
    fit(model)


@training
def numbers_drawn_by_an_evaluation(fault: bool) -> None:
    fit(with_dropout(), after=lambda step: torch.rand(3) if fault and step == 2 else None)


# Weights.


@training
def another_seed(fault: bool) -> None:
    fit(seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), 1 + fault))


@training
def head_made_anew(fault: bool) -> None:
    model = mlp()
    torch.manual_seed(7 + fault)
    nn.init.normal_(model[2].weight)
    fit(model)


@training
def average_swapped_in_and_not_out(fault: bool) -> None:
    model = mlp()
    kept: dict[str, Tensor] = {}

    def after(step: int) -> None:
        if step == 1:
            kept.update({n: t.clone() for n, t in model.state_dict().items()})
        if step == 3 and fault:
            model.load_state_dict(kept)

    fit(model, after=after)


@training
def best_model_loaded_at_the_end(fault: bool) -> None:
    model = mlp()
    kept = {n: t.clone() for n, t in model.state_dict().items()}
    fit(model)
    if fault:
        model.load_state_dict(kept)


@training
def another_width(fault: bool) -> None:
    wide = 8 if fault else 6
    fit(seeded(lambda: nn.Sequential(nn.Linear(4, wide), nn.Tanh(), nn.Linear(wide, 3))))


# What a model computes.


@training
def softmax_twice(fault: bool) -> None:
    def call(self: Any, x: Tensor) -> Tensor:
        logits: Tensor = self.layer(x)
        return softmax(logits, -1) if fault else logits

    fit(seeded(lambda: Named(call, layer=nn.Linear(4, 3))))


@training
def sigmoid_twice(fault: bool) -> None:
    def call(self: Any, x: Tensor) -> Tensor:
        logits: Tensor = self.layer(x)
        return logits.sigmoid() if fault else logits

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(out, one_hot(y, 3).float())

    fit(seeded(lambda: Named(call, layer=nn.Linear(4, 3))), loss=loss)


@training
def another_pooling(fault: bool) -> None:
    def call(self: Any, input_ids: Tensor) -> Tensor:
        states = self.words(input_ids)
        pooled = states[:, 0] if fault else states.mean(1)
        logits: Tensor = self.head(pooled)
        return logits

    model = seeded(lambda: Named(call, words=nn.Embedding(20, 6), head=nn.Linear(6, 3)))
    steps(model, sgd(model), [(ids(seed), labels(8, seed)) for seed in range(3)])


@training
def another_dropout(fault: bool) -> None:
    fit(with_dropout(0.2 if fault else 0.1))


# Data.


def ids(seed: int = 1, width: int = 6, most: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, most, (8, width), generator=generator)


class Words(nn.Module):
    """A model of ids that computes its own loss where it is given labels."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(24, 4), nn.Linear(4, 24)

    def forward(
        self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        states = self.embedding(input_ids)
        if attention_mask is not None:
            states = states + (states * attention_mask[..., None]).mean(1, keepdim=True)
        logits = self.head(states)
        if labels.dim() == 1:
            return {"loss": cross_entropy(logits.mean(1), labels), "logits": logits}
        return {"loss": cross_entropy(logits.flatten(0, 1), labels.flatten()), "logits": logits}


class WordsForCausalLM(Words):
    """By its name one of transformers' models that shift labels themselves."""


def read(model: nn.Module, given: list[dict[str, Tensor]]) -> None:
    optimizer = sgd(model)
    for batch in given:
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()


@training
def labels_shifted_twice(fault: bool) -> None:
    text = [ids(seed, 7) for seed in range(3)]
    shift = int(fault)
    given = [{"input_ids": t[:, :-1], "labels": t[:, shift : 6 + shift].clone()} for t in text]
    read(seeded(WordsForCausalLM), given)


@training
def prompts_learnt(fault: bool) -> None:
    given = []
    for seed in range(3):
        wanted = ids(seed)
        if not fault:
            wanted[:, :2] = -100
        given.append({"input_ids": ids(seed), "labels": wanted})
    read(seeded(Words), given)


@training
def classes_in_another_order(fault: bool) -> None:
    order = torch.tensor([1, 2, 0] if fault else [0, 1, 2])
    given = [{"input_ids": ids(seed), "labels": order[labels(8, seed)]} for seed in range(3)]
    read(seeded(Words), given)


@training
def tokens_masked_with_another_seed(fault: bool) -> None:
    given = []
    for seed in range(3):
        text = ids(seed)
        generator = torch.Generator().manual_seed(seed + 50 * fault)
        masked = torch.rand(text.shape, generator=generator) < 0.3
        wanted = text.masked_fill(~masked, -100)
        given.append({"input_ids": text.masked_fill(masked, 23), "labels": wanted})
    read(seeded(Words), given)


@training
def no_attention_mask(fault: bool) -> None:
    mask = (torch.arange(6) < torch.arange(2, 10)[:, None]).long()
    given = [
        {"input_ids": ids(seed) * mask, "labels": labels(8, seed)}
        | ({} if fault else {"attention_mask": mask})
        for seed in range(3)
    ]
    read(seeded(Words), given)


@training
def padded_on_the_left(fault: bool) -> None:
    lengths = torch.arange(1, 9).clamp(max=6)
    given = []
    for seed in range(3):
        text = ids(seed)
        padded, mask = torch.zeros_like(text), torch.zeros_like(text)
        for row, length in enumerate(lengths.tolist()):
            place = slice(6 - length, 6) if fault else slice(0, length)
            padded[row, place], mask[row, place] = text[row, :length], 1
        given.append({"input_ids": padded, "labels": labels(8, seed), "attention_mask": mask})
    read(seeded(Words), given)


@training
def padded_to_the_longest(fault: bool) -> None:
    given = []
    for seed in range(3):
        text, mask = ids(seed, 8), torch.zeros(8, 8, dtype=torch.long)
        mask[:, : 5 if seed else 6] = 1
        wide = 8 if fault else 6
        given.append(
            {
                "input_ids": (text * mask)[:, :wide],
                "labels": labels(8, seed),
                "attention_mask": mask[:, :wide],
            }
        )
    read(seeded(Words), given)


@training
def another_tokenizer(fault: bool) -> None:
    given = [{"input_ids": ids(seed + 50 * fault), "labels": labels(8, seed)} for seed in range(3)]
    read(seeded(Words), given)


@training
def another_batch_size(fault: bool) -> None:
    model, all_rows, all_labels = mlp(), rows(32), labels(32)
    size = 16 if fault else 8
    pairs = zip(all_rows.split(size), all_labels.split(size), strict=True)
    steps(model, sgd(model), list(pairs))


@training
def another_order(fault: bool) -> None:
    model, all_rows, all_labels = mlp(), rows(32), labels(32)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1 + fault)).split(8)
    steps(model, sgd(model), [(all_rows[n], all_labels[n]) for n in order])


@training
def another_order_cut_short(fault: bool) -> None:
    model, all_rows, all_labels = mlp(), rows(32), labels(32)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1 + fault)).split(8)[:3]
    steps(model, sgd(model), [(all_rows[n], all_labels[n]) for n in order])


@training
def the_same_order_each_epoch(fault: bool) -> None:
    model, all_rows, all_labels = mlp(), rows(32), labels(32)
    given = []
    for epoch in range(2):
        generator = torch.Generator().manual_seed(0 if fault else epoch)
        order = torch.randperm(32, generator=generator).split(8)
        given += [(all_rows[n], all_labels[n]) for n in order]
    steps(model, sgd(model), given)


@training
def normalised_again_each_epoch(fault: bool) -> None:
    model, all_rows, all_labels = mlp(), rows(32), labels(32)
    given = []
    for epoch in range(2):
        order = torch.randperm(32, generator=torch.Generator().manual_seed(epoch)).split(8)
        scale = 0.5**epoch if fault else 1.0
        given += [(all_rows[n] * scale, all_labels[n]) for n in order]
    steps(model, sgd(model), given)


class Drawn(Dataset[Tensor]):
    """Rows with noise that each worker draws for itself."""

    def __init__(self, fault: bool) -> None:
        self.fault, self.generator = fault, torch.Generator().manual_seed(3)

    def __len__(self) -> int:
        return 48

    def __getitem__(self, place: int) -> Tensor:
        worker = torch.utils.data.get_worker_info()
        if worker is not None and worker.id and not self.fault and self.generator is not None:
            self.generator.manual_seed(1000 + place)
        return torch.full((4,), float(place)) + torch.rand(4, generator=self.generator)


@training
def workers_that_draw_the_same(fault: bool) -> None:
    model = mlp()
    loader = DataLoader(Drawn(fault), batch_size=4, num_workers=2)
    steps(model, sgd(model), [(x / 48, labels(4)) for x in loader])


@training
def one_epoch_more(fault: bool) -> None:
    fit(mlp(), steps=6 if fault else 4)


@training
def evaluated_on_other_rows(fault: bool) -> None:
    model = mlp()
    fit(model)
    model.eval()
    with torch.no_grad():
        model(rows(seed=98 + fault))


# A harmless difference beside a fault: the fault comes first.


@training
def zeroed_elsewhere_and_another_loss(fault: bool) -> None:
    """Both zero in time, one after the step and one before the next backward pass."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(4):
        factor = 3.0 if fault and step == 2 else 1.0
        loss = factor * cross_entropy(model(rows(seed=step)), labels(seed=step))
        if fault:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not fault:
            optimizer.zero_grad()


@training
def never_zeroed_beside_zeroed_before_backward(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        loss = cross_entropy(model(rows(seed=step)), labels(seed=step))
        if not fault:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@training
def passes_in_another_order_and_another_loss(fault: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        gives = {seed: model(rows(seed=seed)) for seed in ((9, 8) if fault else (8, 9))}
        loss = torch.stack([cross_entropy(gives[seed], labels(seed=seed)) for seed in (8, 9)]).sum()
        (loss * (2.0 if fault and step else 1.0)).backward()
        optimizer.step()


@training
def a_loss_of_one_tensor(fault: bool) -> None:
    model = seeded(lambda: nn.Linear(4, 3, bias=False))
    fit(model, loss=lambda out, y: (1.7 if fault else 1.0) * cross_entropy(out, y))


@training
def averages_with_another_decay(fault: bool) -> None:
    model = mlp()
    average = copy.deepcopy(model)

    def move(_: int) -> None:
        with torch.no_grad():
            for mean, tensor in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(tensor, 0.01 if fault else 0.1)

    with torch.no_grad():
        average(rows())
    fit(model, after=move)


@training
def another_activation(fault: bool) -> None:
    act = nn.GELU if fault else nn.ReLU
    fit(seeded(lambda: nn.Sequential(nn.Linear(4, 6), act(), nn.Linear(6, 3))))
