"""Causes that say which of several it is: by calls of a clip, by the mask, by the generators."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from tests.diff.pairs.small_trainings import fit, labels, mlp, rows, seeded, sgd
from tests.helpers.small import watch

CALL = "call clip_grad_norm_ in B between backward() and optimizer.step()"


def said(train: Callable[[bool], Any]) -> str:
    a, b = (watch(train, fault) for fault in (False, True))
    return "\n".join(lines("A and B", diff(a, b)))


def clipped(clip: Callable[[nn.Module], Any], before: Callable[[nn.Module], Any] = id) -> None:
    """A few steps: something before backward(), and something after it."""
    model = mlp()
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        before(model)
        (10 * cross_entropy(model(rows(seed=step)), labels(seed=step))).backward()
        clip(model)
        optimizer.step()


def clip_to(bound: float) -> Callable[[nn.Module], Any]:
    return lambda model: nn.utils.clip_grad_norm_(model.parameters(), bound)


@pytest.mark.filterwarnings("ignore:.*empty generator")
def test_a_generator_that_was_used_up_is_told_from_a_clip_that_is_not_called() -> None:
    def used_up(model: nn.Module) -> None:
        parameters = model.parameters()
        list(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)

    told = said(lambda fault: clipped(used_up if fault else clip_to(1.0)))
    assert "B calls clip_grad_norm_ with the bound 1 and with no tensors (a generator" in told
    never = said(lambda fault: clipped(id if fault else clip_to(1.0)))
    assert "B doesn't call clip_grad_norm_: its norm stays" in never
    assert CALL in never


def test_a_bound_that_is_never_reached() -> None:
    told = said(lambda fault: clipped(clip_to(500.0 if fault else 1.0)))
    assert "B clips to 500, which is more than its norm: its norm stays" in told


def test_a_clip_that_comes_before_there_is_a_gradient() -> None:
    def train(fault: bool) -> None:
        clipped(*((id, clip_to(1.0)) if fault else (clip_to(1.0), id)))

    assert "B calls clip_grad_norm_ with the bound 1, which finds no gradient" in said(train)


def test_a_ledger_from_before_calls_were_kept_says_what_it_always_said() -> None:
    a, b = (watch(clipped, clip_to(1.0) if with_clip else id) for with_clip in (True, False))
    for step in b.steps:
        del step["chores"]
    told = "\n".join(lines("A and B", diff(a, b)))
    assert "A clips its gradients to a norm of 1, B doesn't: its norm stays" in told
    assert "is empty when it was used once" in told


class Reads(nn.Module):
    """Embeddings, a mask that it doesn't look at, and a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Linear(4, 20)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
        logits = self.head(self.embedding(input_ids)).mean(1, keepdim=True)
        wide = logits.expand(-1, labels.shape[1], -1)
        return cross_entropy(wide.flatten(0, 1), labels.flatten())


MASK = (torch.arange(6) < torch.tensor([[6], [5], [3], [2]])).long()


def texts(seed: int, width: int = 6) -> Tensor:
    return torch.randint(2, 20, (4, width), generator=torch.Generator().manual_seed(seed))


def read(make: Callable[[int], dict[str, Tensor]]) -> None:
    model = seeded(Reads)
    optimizer = sgd(model)
    for seed in range(3):
        optimizer.zero_grad()
        model(attention_mask=MASK, **make(seed)).backward()
        optimizer.step()


def test_labels_that_count_where_the_mask_says_padding() -> None:
    def train(fault: bool) -> None:
        def make(seed: int) -> dict[str, Tensor]:
            ids = texts(seed).masked_fill(MASK == 0, 0)
            wanted = ids if fault else ids.masked_fill(MASK == 0, -100)
            return {"input_ids": ids, "labels": wanted}

        read(make)

    told = said(train)
    assert "8 of 8 places of padding (attention_mask is 0) have labels that count in B" in told


def test_labels_of_the_masks_shape_tell_how_many_count_at_padding() -> None:
    def wanted(seed: int) -> Tensor:
        return torch.where((MASK == 0) & (torch.arange(6) < 5), texts(seed), -100)

    steps = watch(read, lambda seed: {"input_ids": texts(seed), "labels": wanted(seed)}).steps
    assert {step["batch"][0]["labels"][4]["on_padding"] for step in steps} == {5}
    wide = watch(read, lambda seed: {"input_ids": texts(seed), "labels": texts(seed, 7)}).steps
    assert all("on_padding" not in step["batch"][0]["labels"][4] for step in wide)


def test_padding_of_labels_that_are_texts_of_their_own() -> None:
    def train(fault: bool) -> None:
        def make(seed: int) -> dict[str, Tensor]:
            wanted = texts(seed, 8)
            wanted[1:, 5:] = 0 if fault else -100
            return {"input_ids": texts(seed + 9), "labels": wanted}

        read(make)

    told = said(train)
    assert "labels are texts of their own here (8 places a row, input_ids has 6)" in told
    assert "what B learns more is their padding" in told


def test_a_pad_token_that_is_the_end_of_text_too() -> None:
    def train(fault: bool) -> None:
        def make(seed: int) -> dict[str, Tensor]:
            last = MASK.sum(1, keepdim=True) - 1
            ids = texts(seed).scatter(1, last, 1).masked_fill(MASK == 0, 1 if fault else 0)
            return {"input_ids": ids, "labels": ids.masked_fill(ids == (1 if fault else 0), -100)}

        read(make)

    told = said(train)
    assert "places of real tokens, one in each of 4 rows. A leaves out just the padding" in told
    assert "as where pad_token is eos_token" in told


def epochs(
    order: Callable[[int], Tensor], change: Callable[[Tensor], Tensor] = lambda x: x
) -> None:
    """Two epochs of four batches, whose order is drawn before each."""
    every, wanted, model = rows(32), labels(32), mlp()
    optimizer = sgd(model)
    for epoch in range(2):
        for places in order(epoch).split(8):
            optimizer.zero_grad()
            cross_entropy(model(change(every[places])), wanted[places]).backward()
            optimizer.step()


def drawn(seed: int) -> Tensor:
    return torch.randperm(32, generator=torch.Generator().manual_seed(seed))


def test_a_fixed_seed_of_an_order_is_told_from_one_that_is_set_anew() -> None:
    def fixed(fault: bool) -> None:
        torch.manual_seed(7)

        def order(epoch: int) -> Tensor:
            torch.rand(1)  # as a DataLoader draws its workers' seed
            return drawn(0 if fault else epoch)

        epochs(order)

    told = said(fixed)
    assert "is its own of step 1 again, with which a new epoch (of 4 steps) begins" in told
    assert "A has the same rows in a new order: B's order repeats" in told
    assert "in B call sampler.set_epoch(epoch)" in told

    def anew(fault: bool) -> None:
        torch.manual_seed(7)

        def order(epoch: int) -> Tensor:
            if fault or not epoch:
                torch.manual_seed(7)
            return torch.randperm(32)

        epochs(order, lambda x: x + 0 * torch.rand(1))

    again = said(anew)
    assert "B's random generators stand as they did then" in again
    assert "set the seed once in B, before the first epoch" in again


def test_rows_that_change_by_random_numbers_are_no_rows_changed_in_place() -> None:
    def train(fault: bool) -> None:
        torch.manual_seed(1)

        def change(x: Tensor) -> Tensor:
            noise = torch.rand(x.shape) * 1e-3 if fault else torch.zeros(x.shape)
            return x + noise.to(x.dtype)

        epochs(drawn, change)

    assert "its dataset changes its rows in place" not in said(train)


class Margin(nn.Module):
    """A loss module with a number that it takes by itself."""

    def __init__(self, scale: float = 20.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, given: Tensor, wanted: Tensor) -> Tensor:
        return cross_entropy(given * self.scale, wanted)


def test_the_default_of_a_loss_s_class_is_told() -> None:
    told = said(lambda fault: fit(mlp(), loss=Margin(1.0) if fault else Margin()))
    assert (
        "Margin.scale is 20 in A and 1 in B (20 times); the class's default is 20, as in A" in told
    )
    same = said(lambda _: fit(mlp(), loss=Margin(1.0)))
    assert same.startswith("identical")
    both = said(lambda fault: fit(mlp(), loss=Margin(2.0 if fault else 1.0)))
    assert "Margin.scale is 1 in A and 2 in B (2 times); the class's default is 20" in both


def test_weights_are_in_the_table_where_gradients_are_equal_at_first() -> None:
    told = said(lambda fault: clipped(clip_to(500.0 if fault else 1.0)))
    (head,) = [line for line in told.splitlines() if line.startswith("step ")]
    assert "weights unequal" in head
    assert "4 of 4 tensors" in told
    of_rows = said(lambda fault: fit(mlp(), loss=lambda x, y: cross_entropy(x * (1 + fault), y)))
    assert "weights unequal" not in of_rows
