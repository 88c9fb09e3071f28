"""Evaluations with a loss beside the model: other targets, in the same batches and in others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, squares

Loss = Callable[[Tensor, Tensor], Any]


def evaluated(
    loss: Loss,
    targets: Tensor,
    size: int,
    *,
    outputs: int = 3,
    gradients: bool = False,
    mode: Callable[[], Any] = torch.no_grad,
) -> dict[str, Any]:
    """A model's evaluation with this loss, summed over the rows."""
    model = mlp(outputs)
    fit(model, loss=squares)
    model.eval()
    total = 0.0
    with torch.enable_grad() if gradients else mode():
        for batch, classes in zip(rows(24).split(size), targets.split(size), strict=True):
            made = loss(model(batch), classes)
            made = made.detach() if isinstance(made, Tensor) else made
            total += float(made) * len(batch)
    return {"loss": round(total / 24, 4)}


def sizes(second: bool) -> int:
    return 4 if second else 8


def of_classes(second: bool, loss: Loss, size: int, **how: Any) -> dict[str, Any]:
    return evaluated(loss, labels(24, 5 + second), size, **how)


def of_numbers(second: bool, loss: Loss, size: int, **how: Any) -> dict[str, Any]:
    return evaluated(loss, rows(24, 7 + second, 3), size, **how)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_by_function(second: bool) -> dict[str, Any]:
    return of_classes(second, functional.cross_entropy, 8)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_by_a_function_imported_before(second: bool) -> dict[str, Any]:
    return of_classes(second, cross_entropy, sizes(second))


@pair("metrics", "rows of CrossEntropyLoss.target")
def other_classes_by_module_in_other_batches(second: bool) -> dict[str, Any]:
    return of_classes(second, nn.CrossEntropyLoss(), sizes(second))


@pair("metrics", "rows of mse_loss.target")
def other_numbers_by_function_in_other_batches(second: bool) -> dict[str, Any]:
    return of_numbers(second, functional.mse_loss, sizes(second))


@pair("metrics", "rows of MSELoss.target")
def other_numbers_by_module_in_other_batches(second: bool) -> dict[str, Any]:
    return of_numbers(second, nn.MSELoss(), sizes(second))


@pair("metrics", "rows of cross_entropy.target")
def other_classes_with_gradients_on(second: bool) -> dict[str, Any]:
    return of_classes(second, functional.cross_entropy, sizes(second), gradients=True)


@pair("metrics", "rows of CrossEntropyLoss.target")
def other_classes_by_module_with_gradients_on(second: bool) -> dict[str, Any]:
    return of_classes(second, nn.CrossEntropyLoss(), sizes(second), gradients=True)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_in_inference_mode(second: bool) -> dict[str, Any]:
    return of_classes(second, functional.cross_entropy, 8, mode=torch.inference_mode)


@pair("metrics", "rows of binary_cross_entropy_with_logits.target")
def other_answers_of_one_output(second: bool) -> dict[str, Any]:
    targets = (rows(24, 7 + second, 1) > 0).float()
    loss = functional.binary_cross_entropy_with_logits
    return evaluated(loss, targets, sizes(second), outputs=1)


@pair()
def the_same_classes_in_other_batches(second: bool) -> dict[str, Any]:
    return of_classes(False, functional.cross_entropy, sizes(second))


@pair()
def the_same_classes_by_module_in_other_batches(second: bool) -> dict[str, Any]:
    return of_classes(False, nn.CrossEntropyLoss(), sizes(second))


@pair()
def the_same_numbers_by_probabilities_in_other_batches(second: bool) -> dict[str, Any]:
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(logits.softmax(-1), targets)

    return of_numbers(False, loss, sizes(second))


@pair("metrics", "cross_entropy: ")
def a_loss_that_is_summed(second: bool) -> dict[str, Any]:
    how = "sum" if second else "mean"
    return of_classes(False, lambda x, y: functional.cross_entropy(x, y, reduction=how), 8)


def of_tokens(second: bool, shift: int, loss: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Any]:
    """Classes of tokens, padded to the longest text of a batch, and left out of the loss there."""
    model = seeded(lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3)))
    fit_tokens(model)
    texts, classes = [], []
    for number, length in enumerate((3, 7, 2, 5)):
        g = torch.Generator().manual_seed(number)
        texts.append(torch.randint(1, 10, (length,), generator=g))
        classes.append((texts[-1] + shift * (number == 2)) % 3)
    total = count = 0.0
    size = 2 if second else 4
    with torch.no_grad():
        for start in range(0, 4, size):
            parts = [each[start : start + size] for each in (texts, classes)]
            ids = nn.utils.rnn.pad_sequence(parts[0], batch_first=True)
            targets = nn.utils.rnn.pad_sequence(parts[1], batch_first=True, padding_value=-100)
            total += float(loss(model(ids), targets))
            count += float((targets != -100).sum())
    return {"loss": round(total / count, 4)}


def fit_tokens(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(3):
        optimizer.zero_grad()
        ids = torch.randint(1, 10, (4, 5), generator=torch.Generator().manual_seed(step))
        model(ids).pow(2).sum().backward()
        optimizer.step()


def in_one_dimension(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.view(-1, 3), targets.view(-1), reduction="sum")


def next_tokens(logits: Tensor, targets: Tensor) -> Tensor:
    shifted = logits[:, :-1].reshape(-1, 3), targets[:, 1:].reshape(-1)
    return functional.cross_entropy(*shifted, reduction="sum")


def classes_first(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.transpose(1, 2), targets, reduction="sum")


@pair()
def classes_of_tokens_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, 0, in_one_dimension)


@pair()
def classes_of_next_tokens_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, 0, next_tokens)


@pair()
def classes_of_tokens_before_them_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, 0, classes_first)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_of_tokens_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, int(second), in_one_dimension)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_of_next_tokens_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, int(second), next_tokens)


@pair("metrics", "rows of cross_entropy.target")
def other_classes_of_tokens_before_them_in_other_batches(second: bool) -> dict[str, Any]:
    return of_tokens(second, int(second), classes_first)


def contrastive(second: bool, shift: int = 0) -> dict[str, Any]:
    """Which text of a batch is the right one: a loss that goes by the batch."""
    model, tower = mlp(3), mlp(3)
    fit(model, loss=squares)
    gives = []
    with torch.no_grad():
        for one, other in zip(*(rows(16, 5 + n).split(sizes(second)) for n in (0, 1)), strict=True):
            scores = model(one) @ tower(other).T
            right = (torch.arange(len(one)) + shift) % len(one)
            gives.append(float(functional.cross_entropy(scores, right)))
    return {"gives": gives if shift else 0}


@pair("", "not compared: rows of cross_entropy.target")
def pairs_in_other_batches(second: bool) -> dict[str, Any]:
    return contrastive(second)


@pair("metrics", "rows of cross_entropy.target")
def the_wrong_text_is_the_right_one(second: bool) -> dict[str, Any]:
    return contrastive(False, 1 + second)


@pair("metrics", "rows of CosineEmbeddingLoss.target")
def other_signs_of_pairs(second: bool) -> dict[str, Any]:
    signs = labels(24, 5 + second, 2) * 2.0 - 1
    criterion = nn.CosineEmbeddingLoss()
    return evaluated(lambda x, y: criterion(x, x.flip(1), y), signs, sizes(second))


@pair("metrics", "rows of labels")
def labels_in_a_list(second: bool) -> dict[str, Any]:
    return labelled(second, lambda targets: targets.tolist())


@pair("metrics", "rows of labels")
def labels_of_numpy(second: bool) -> dict[str, Any]:
    return labelled(second, lambda targets: targets.numpy())


@pair()
def the_same_labels_in_a_list_in_other_batches(second: bool) -> dict[str, Any]:
    return labelled(False, lambda targets: targets.tolist(), sizes(second))


def labelled(second: bool, plain: Callable[[Tensor], Any], size: int = 8) -> dict[str, Any]:
    def call(self: Any, x: Tensor, labels: Any = None) -> Any:
        gives = self.layer(x)
        if labels is None:
            return gives
        self.right += int(np.sum(gives.argmax(-1).numpy() == np.asarray(labels)))
        return gives

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    model.right = 0
    fit(model)
    with torch.no_grad():
        for batch, targets in zip(
            rows(24).split(size), labels(24, 5 + second).split(size), strict=True
        ):
            model(batch, labels=plain(targets))
    return {"right": model.right}


@pair("metrics", "Accuracy")
def a_number_alone(second: bool) -> dict[str, Any]:
    """A metric that is a module, gives a plain number, and is unequal in its threshold."""

    class Accuracy(nn.Module):
        def forward(self, logits: Tensor, targets: Tensor, threshold: float) -> float:
            return float(((logits[:, 0] > threshold) == targets.bool()).float().mean())

    metric = Accuracy()
    return of_classes(False, lambda x, y: metric(x, y, 0.1 + 0.2 * second), 8)
