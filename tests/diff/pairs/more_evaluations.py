"""Evaluations of many kinds of models: what they truly give tells whether two are the same."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, squares

TEXTS = torch.randint(1, 10, (6, 5), generator=torch.Generator().manual_seed(2))


def ready(outputs: int = 3, *, training: bool = False) -> nn.Module:
    model = mlp(outputs)
    fit(model, loss=squares)
    return model.train(training)


def size(second: bool) -> int:
    return 4 if second else 8


@pair()
def a_regression_in_other_batches(second: bool) -> dict[str, Any]:
    model, gives = ready(1), []
    with torch.no_grad():
        parts = [each.split(size(second)) for each in (rows(16), rows(16, 6, 1))]
        for batch, target in zip(*parts, strict=True):
            gives.append(float(functional.l1_loss(model(batch), target)) * len(batch))
    return {"error": round(sum(gives) / 16, 4)}


@pair("metrics", "rows of smooth_l1_loss.target")
def a_regression_of_a_shifted_target(second: bool) -> dict[str, Any]:
    model, gives = ready(1), []
    targets = rows(16, 6, 1) + 0.01 * second
    with torch.no_grad():
        for batch, target in zip(rows(16).split(8), targets.split(8), strict=True):
            gives.append(functional.smooth_l1_loss(model(batch), target))
    return {"error": torch.stack(gives)}


@pair("metrics", "rows of mse_loss.target")
def two_targets_exchanged_in_other_batches(second: bool) -> dict[str, Any]:
    model, gives = ready(1), []
    targets = rows(16, 6, 1)
    if second:
        targets[[0, 1]] = targets[[1, 0]]
    with torch.no_grad():
        parts = [each.split(size(second)) for each in (rows(16), targets)]
        for batch, target in zip(*parts, strict=True):
            gives.append(functional.mse_loss(model(batch), target, reduction="none"))
    return {"errors": torch.cat(gives).mul(1000).round()}


@pair("metrics", "rows of cross_entropy.target")
def an_evaluation_within_training(second: bool) -> dict[str, Any]:
    model, gives = mlp(), []

    def evaluate(_step: int) -> None:
        with torch.no_grad():
            gives.append(functional.cross_entropy(model(rows(8)), labels(8, 6 + second)))

    fit(model, after=evaluate)
    return {"gives": gives}


@pair("metrics", "rows of input")
def an_evaluation_within_the_fourth_step(second: bool) -> dict[str, Any]:
    model, gives = mlp(), []

    def evaluate(step: int) -> None:
        with torch.no_grad():
            gives.append(model(rows(8) + 0.1 * (second and step == 4)))

    fit(model, before=evaluate)
    return {"gives": gives}


@pair("metrics", "rows of cross_entropy.target")
def in_train_mode_under_inference_mode(second: bool) -> dict[str, Any]:
    model = ready(training=True)
    with torch.inference_mode():
        return {"gives": functional.cross_entropy(model(rows()), labels(8, 6 + second)).tolist()}


@pair("metrics", "rows of nll_loss.target")
def under_neither(second: bool) -> dict[str, Any]:
    model = ready()
    scores = model(rows()).log_softmax(-1)
    return {"gives": functional.nll_loss(scores, labels(8, 6 + second)).detach()}


@pair("metrics", "count: 16 and 12")
def the_last_batch_of_a_loader_dropped(second: bool) -> dict[str, Any]:
    loader = torch.utils.data.DataLoader(list(rows(16)), 6, drop_last=second)
    model = ready()
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for part in loader])}


@pair("metrics", "rows of input")
def a_shuffled_evaluation(second: bool) -> dict[str, Any]:
    g = torch.Generator().manual_seed(int(second))
    loader = torch.utils.data.DataLoader(list(rows(16)), 8, shuffle=True, generator=g)
    model = ready()
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for part in loader])}


@pair("metrics", "count: 10 and 12")
def rows_gathered_as_from_two_processes(second: bool) -> dict[str, Any]:
    inputs = rows(10)
    shares = [inputs[n::2] for n in range(2)]
    if second:  # each share filled up to whole batches
        shares = [torch.cat([share, share[:1]]) for share in shares]
    model = ready()
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for share in shares for part in share.split(3)])}


@pair("metrics", "rows of input")
def the_other_share_of_the_rows(second: bool) -> dict[str, Any]:
    model = ready()
    with torch.no_grad():
        return {"gives": model(rows(16)[second::2])}


@pair("metrics", "output")
def flags_that_are_given(second: bool) -> dict[str, Any]:
    model = seeded(lambda: Named(lambda self, x, at=0.0: self.layer(x) > at, layer=nn.Linear(4, 3)))
    trained = model.layer
    fit(trained)
    with torch.no_grad():
        return {"gives": model(rows(), at=0.1 * second)}


@pair("metrics", "output")
def the_last_bits_of_what_is_given_in_float64(second: bool) -> dict[str, Any]:
    def call(self: Any, x: Tensor, more: float = 0.0) -> Tensor:
        return self.layer(x).double() + more

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    with torch.no_grad():
        return {"gives": model(rows(), more=1e-12 * second)}


@pair("metrics", "output")
def the_phase_of_complex_numbers(second: bool) -> dict[str, Any]:
    def call(self: Any, x: Tensor, turn: float = 0.0) -> Tensor:
        gives = self.layer(x)
        if self.training:
            return gives
        return gives * torch.exp(torch.tensor(1j * turn))

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    model.eval()
    with torch.no_grad():
        return {"gives": model(rows(), turn=0.5 * second)}


def a_question(second: bool, end: float, batch: int) -> dict[str, Any]:
    """Where an answer begins and ends, as a model for questions gives it, with both targets."""

    def call(self: Any, x: Tensor, factor: float = 1.0) -> dict[str, Tensor]:
        both = self.layer(x[..., None]).unbind(-1)
        return {"start_logits": both[0], "end_logits": both[1] * factor}

    model = seeded(lambda: Named(call, layer=nn.Linear(1, 2)))
    fit(model, loss=lambda out, _: (out["start_logits"] - out["end_logits"]).pow(2).mean())
    gives = []
    places = labels(8, 6, 4), labels(8, 7 + second, 4)
    with torch.no_grad():
        for n in range(0, 8, batch):
            out = model(rows(8)[n : n + batch], factor=end)
            for name, target in zip(("start_logits", "end_logits"), places, strict=True):
                loss = functional.cross_entropy(out[name], target[n : n + batch], reduction="sum")
                gives.append(loss)
    return {"loss": round(float(torch.stack(gives).sum()), 3)}


@pair("metrics", "rows of cross_entropy 2.target")
def the_ends_of_answers_in_other_batches(second: bool) -> dict[str, Any]:
    return a_question(second, 1.0, 4 if second else 8)


@pair("metrics", "end_logits")
def the_ends_of_answers_scaled(second: bool) -> dict[str, Any]:
    return a_question(False, 2.0 if second else 1.0, 8)


@pair("", "not compared")
def answers_in_other_batches(second: bool) -> dict[str, Any]:
    return a_question(False, 1.0, 4 if second else 8)


def ranked(second: bool, groups: list[int], **how: Any) -> dict[str, Any]:
    """Documents ranked by query: the groups are of several sizes."""
    model, best = ready(1), []
    with torch.no_grad():
        for part in rows(12, **how).split(groups):
            best.append(int(model(part).squeeze(-1).argmax()))
    return {"best": best, "groups": len(groups), "second": second if how else 0}


@pair("metrics", "rows of input")
def other_documents(second: bool) -> dict[str, Any]:
    return ranked(second, [3, 5, 4], seed=5 + second)


@pair("metrics", "rows of MarginRankingLoss.target")
def the_better_document_is_the_other_one(second: bool) -> dict[str, Any]:
    model, criterion = ready(1), nn.MarginRankingLoss(0.1)
    with torch.no_grad():
        one, other = (model(rows(8, n)).squeeze(-1) for n in (5, 6))
        target = torch.ones(8)
        if second:
            target[3] = -1
        return {"loss": criterion(one, other, target)}


@pair("metrics", "rows of KLDivLoss.target")
def another_teacher(second: bool) -> dict[str, Any]:
    model, criterion = ready(), nn.KLDivLoss(reduction="batchmean")
    target = (rows(8, 9, 3) * (2.0 if second else 1.0)).softmax(-1)
    with torch.no_grad():
        return {"loss": criterion(model(rows()).log_softmax(-1), target)}


@pair()
def a_teacher_in_other_batches(second: bool) -> dict[str, Any]:
    model, teacher = ready(), seeded(mlp, 7)
    criterion, total = nn.KLDivLoss(reduction="sum"), 0.0
    with torch.no_grad():
        for part in rows(16).split(size(second)):
            target = teacher(part).softmax(-1)
            total += float(criterion(model(part).log_softmax(-1), target))
    return {"loss": round(total, 3)}


@pair("metrics", "KLDivLoss.target")
def a_hotter_teacher_in_other_batches(second: bool) -> dict[str, Any]:
    model, teacher = ready(), seeded(mlp, 7)
    criterion, total = nn.KLDivLoss(reduction="sum"), 0.0
    with torch.no_grad():
        for part in rows(16).split(size(second)):
            target = (teacher(part) * (3.0 if second else 1.0)).softmax(-1)
            total += float(criterion(model(part).log_softmax(-1), target))
    return {"loss": round(total, 3)}


@pair()
def a_head_on_normalised_features_in_other_batches(second: bool) -> dict[str, Any]:
    body, head, classes = ready(4), seeded(lambda: nn.Linear(4, 3)), []
    with torch.no_grad():
        for part in rows(16).split(size(second)):
            classes.append(head(functional.normalize(body(part), dim=-1)).argmax(-1))
    return {"classes": torch.cat(classes)}


@pair("metrics", "output")
def scores_of_numpy_that_are_given(second: bool) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Any:
        gives = self.layer(x)
        if self.training:
            return gives
        return np.sort(gives.numpy(), -1) if second else gives.numpy()

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    model.eval()
    with torch.no_grad():
        return {"gives": torch.from_numpy(model(rows()).copy())}


class Teller(nn.Module):
    """Tells texts on, greedily, as `generate` does: a token a pass, from all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(10, 6), nn.Linear(6, 10)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.embedding(ids).cumsum(1) / torch.arange(1, ids.shape[1] + 1)[None, :, None]
        return self.head(hidden)


def told_on(second: bool, batch: int, start: int = 0, steps: int = 4) -> dict[str, Any]:
    model = seeded(Teller)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(model(TEXTS).flatten(0, 1), TEXTS.flatten()).backward()
        optimizer.step()
    texts = []
    with torch.no_grad():
        for part in torch.roll(TEXTS, start, 1).split(batch):
            ids = part
            for _ in range(steps):
                following = model(ids)[:, -1].argmax(-1)
                ids = torch.cat([ids, following[:, None]], 1)
            texts.append(ids)
    return {"texts": torch.cat(texts)[:, 5:] if steps == 4 else len(texts), "start": start}


@pair("", "not compared: what is generated")
def texts_told_on_by_sums_in_other_batches(second: bool) -> dict[str, Any]:
    return told_on(second, 3 if second else 2)


@pair("metrics", "rows of ids")
def other_texts_told_on_by_sums(second: bool) -> dict[str, Any]:
    return told_on(second, 2, int(second))


@pair("metrics", "passes that go on")
def texts_told_on_by_sums_for_longer(second: bool) -> dict[str, Any]:
    left = told_on(second, 2, steps=3 if second else 4)
    return {**left, "steps": second}


@pair("metrics", "rows of ctc_loss.targets")
def other_letters(second: bool) -> dict[str, Any]:
    model = ready(5)
    letters = labels(6, 3 + second, 4) + 1
    with torch.no_grad():
        scores = model(rows(8)).log_softmax(-1)[:, None].expand(8, 2, 5)
        lengths = torch.tensor([8, 8]), torch.tensor([3, 3])
        return {"loss": functional.ctc_loss(scores, letters.view(2, 3), *lengths)}
