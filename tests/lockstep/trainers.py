"""A stock Trainer and a loop by hand, for four kinds of models; each with what is planted in it."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    BertConfig,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

STEPS, ROWS = 6, 96
Rows = list[dict[str, Tensor]]
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def tagger(_adapted: bool) -> tuple[nn.Module, Rows]:
    """Token classification, with labels that are ignored."""
    ids = torch.randint(5, 60, (ROWS, 9))
    tags = ids % 4
    tags[:, ::3] = -100
    config = BertConfig(vocab_size=60, intermediate_size=32, num_labels=4, **SMALL)
    return BertForTokenClassification(config), named(input_ids=ids, labels=tags)


def language_model(_adapted: bool) -> tuple[nn.Module, Rows]:
    """A causal language model."""
    ids = torch.randint(0, 50, (ROWS, 10))
    config = GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    return GPT2LMHeadModel(config), named(input_ids=ids, labels=ids)


def images(_adapted: bool) -> tuple[nn.Module, Rows]:
    """Image classification."""
    labels = torch.randint(0, 3, (ROWS,))
    config = ViTConfig(image_size=8, patch_size=4, intermediate_size=32, num_labels=3, **SMALL)
    pixels = torch.randn(ROWS, 3, 8, 8)
    return ViTForImageClassification(config), named(pixel_values=pixels, labels=labels)


def adapted(is_other: bool) -> tuple[nn.Module, Rows]:
    """The tagger, frozen, with low-rank adapters; of another scale if `is_other`."""
    model, rows = tagger(is_other)
    model.requires_grad_(False)
    for layer in model.bert.encoder.layer:
        layer.attention.self.query = Adapter(layer.attention.self.query, 4.0 if is_other else 2.0)
    return model, rows


class Adapter(nn.Module):
    """A linear layer, and a low-rank one beside it."""

    def __init__(self, base: nn.Linear, scale: float) -> None:
        super().__init__()
        self.base, self.scale = base, scale
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + self.scale * self.up(self.down(x))
        return out


def named(**columns: Tensor) -> Rows:
    """Rows of columns."""
    return [{name: column[i] for name, column in columns.items()} for i in range(ROWS)]


@dataclass(frozen=True)
class ByTrainer:
    """The Trainer, with seed 1."""

    kind: Callable[[bool], tuple[nn.Module, Rows]]

    def __call__(self) -> None:
        model, rows = made(self.kind, 1)
        with tempfile.TemporaryDirectory() as folder, quiet():
            arguments = TrainingArguments(
                folder,
                seed=1,
                per_device_train_batch_size=8,
                max_steps=STEPS,
                learning_rate=1e-3,
                weight_decay=0.1,
                max_grad_norm=0.5,
                use_cpu=True,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            )
            Trainer(model, arguments, train_dataset=rows).train()


@dataclass(frozen=True)
class ByHand:
    """The same by hand, with seed 7; what is given is wrong with it."""

    kind: Callable[[bool], tuple[nn.Module, Rows]]
    clip: float = 0.5
    decay: float = 0.1
    end: int = STEPS
    train: bool = True
    flips: bool = False
    scale: float = 1.0
    other: bool = False

    def __call__(self) -> None:
        model, rows = made(self.kind, 7, other=self.other)
        is_plain = [
            p for n, p in model.named_parameters() if n.endswith("bias") or is_norm(model, n)
        ]
        plain = {id(p) for p in is_plain}
        groups = [
            {"params": [p for p in model.parameters() if p.requires_grad and id(p) not in plain]},
            {"params": [p for p in is_plain if p.requires_grad], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=self.decay, fused=True)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: float(self.end - step) / float(max(1, self.end))
        )
        model.train(self.train)
        loader = DataLoader(rows, batch_size=8, shuffle=True)
        for _, batch in zip(range(STEPS), loader, strict=False):
            if self.flips:
                batch["labels"] = batch["labels"].flip(0)
            (model(**batch).loss * self.scale).backward()
            nn.utils.clip_grad_norm_(model.parameters(), self.clip)
            optimizer.step()
            rate.step()
            optimizer.zero_grad()


def is_norm(model: nn.Module, name: str) -> bool:
    """Whether a parameter is a layer norm's."""
    return isinstance(model.get_submodule(name.rpartition(".")[0]), nn.LayerNorm)


def made(
    kind: Callable[[bool], tuple[nn.Module, Rows]], seed: int, *, other: bool = False
) -> tuple[nn.Module, Rows]:
    """The same rows, and a model of this seed."""
    torch.manual_seed(0)
    _, rows = kind(other)
    torch.manual_seed(seed)
    return kind(other)[0], rows


@contextlib.contextmanager
def quiet() -> Iterator[Any]:
    """What the Trainer prints is nobody's business here."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        yield out
