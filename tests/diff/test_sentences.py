"""The cause in the sentence: what somebody reads who has only the output of `diff`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from reference.ledger.reader import Ledger
from reference.ledger.record import Writer
from reference.observe.observer import Observer
from tests.conftest import ROOT
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd
from tests.helpers.small import watch

Training = Callable[[bool], Any]


def said_of(train: Training) -> str:
    a, b = (watch(train, second) for second in (False, True))
    return "\n".join(lines("a and b", diff(a, b)))


class Words(nn.Module):
    """Embeddings, and a loss of its own when labels are given."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Linear(4, 20)

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.head(self.embedding(input_ids))
        return {"loss": cross_entropy(logits.flatten(0, 1), labels.flatten()), "logits": logits}


def read(batches: Sequence[tuple[Tensor, Tensor]]) -> Ledger:
    def train() -> None:
        model = seeded(Words)
        optimizer = sgd(model)
        for input_ids, wanted in batches:
            optimizer.zero_grad()
            model(input_ids=input_ids, labels=wanted)["loss"].backward()
            optimizer.step()

    return watch(train)


def texts(seed: int = 1) -> Tensor:
    return torch.randint(1, 20, (4, 6), generator=torch.Generator().manual_seed(seed))


def said_of_batches(a: Sequence[tuple[Tensor, Tensor]], b: Sequence[tuple[Tensor, Tensor]]) -> str:
    return "\n".join(lines("a and b", diff(read(a), read(b))))


def test_labels_that_are_the_inputs() -> None:
    ids = texts()
    said = said_of_batches([(ids, ids)], [(ids, ids.roll(-1, 1))])
    assert "labels: 4 of 4 rows differ; they are the input_ids themselves in A, unlike" in said
    assert "in B; beside the same input_ids" in said


def test_how_many_labels_are_ignored() -> None:
    ids = texts()
    masked = ids.masked_fill(ids > 15, -100)
    said = said_of_batches([(ids, ids)], [(ids, masked)])
    ignored = int((masked == -100).sum())
    assert f"0 of 24 in A and {ignored} in B are -100, which a loss leaves out; all else" in said
    assert "all else of them is the input_ids in both" in said


def test_the_same_rows_in_another_order() -> None:
    ids = texts()
    said = said_of_batches([(ids, ids)], [(ids.flip(0), ids.flip(0))])
    assert "input_ids: the same rows in a different order" in said


def test_the_same_rows_padded_further() -> None:
    ids = texts()
    wide = torch.cat([ids, torch.zeros(4, 2, dtype=torch.int64)], 1)
    said = said_of_batches([(ids, ids)], [(wide, wide)])
    assert "input_ids: (4, 6) int64 and (4, 8) int64; the same rows, padded differently" in said


def test_a_few_other_rows() -> None:
    ids, others = texts(), texts()
    others[2] = texts(9)[2]
    assert "input_ids: 1 of 4 rows differ" in said_of_batches([(ids, ids)], [(others, others)])


def test_a_batch_that_is_an_earlier_one_again() -> None:
    first, second, third = ((texts(seed), texts(seed)) for seed in (1, 2, 3))
    said = said_of_batches([first, second, third], [first, second, first])
    assert "B's batch of step 3 is its own of step 1 again, and A's is new" in said


def test_rows_that_came_back_changed() -> None:
    first = (texts(), texts())
    back = (first[0].flip(0), first[1].flip(0))
    changed = (back[0] % 7 + 1, back[1])
    said = said_of_batches([first, back], [first, changed])
    assert "in A the rows of input_ids come again as they were (step 2 has 4 that" in said


def test_the_loss_function_is_between_outputs_and_gradients() -> None:
    said = said_of(
        lambda second: fit(
            mlp(), loss=lambda out, y: cross_entropy(out, y, label_smoothing=0.1 * second)
        )
    )
    assert "link gradient\nlikely cause: A and B have different loss functions: inputs" in said
    assert "unequal: norm: " in said


def test_gradients_that_were_not_zeroed() -> None:
    def train(second: bool) -> None:
        model = mlp()
        optimizer = sgd(model)
        for step in range(3):
            cross_entropy(model(rows(seed=step)), labels(seed=step)).backward()
            optimizer.step()
            if not second or step:
                optimizer.zero_grad()

    said = said_of(train)
    assert "part at step 2, link gradient" in said
    assert (
        "B doesn't zero its gradients after step 1, and adds those of step 2 to them; A zeroes"
        in said
    )


def test_no_gradient_and_one_of_zeros() -> None:
    def train(second: bool) -> None:
        model = seeded(
            lambda: Named(
                lambda self, x, both: self.a(x) + (self.b(x) if both else 0),
                a=nn.Linear(4, 3),
                b=nn.Linear(4, 3),
            )
        )
        optimizer = sgd(model)
        for step in range(3):
            optimizer.zero_grad(set_to_none=not second)
            model(rows(seed=step), step == 0).pow(2).mean().backward()
            optimizer.step()

    said = said_of(train)
    assert "2 of 4 tensors, first b.weight: none in A, and zeros in B" in said
    assert "(float)" not in said


def test_modules_in_another_mode_than_the_model() -> None:
    def train(second: bool) -> None:
        model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
        model[1].train(not second)
        fit(model)

    said = said_of(train)
    assert "modules in another mode (train or eval) than their parent's: none in A, 1 in B" in said


def test_dropout_in_one_run_only() -> None:
    def train(second: bool) -> None:
        fit(seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.1 * second))), steps=2)

    assert "B's step drew random numbers (torch), and A's none" in said_of(train)


def test_another_p_that_no_module_has_is_inside_the_forward_pass() -> None:
    def train(second: bool) -> None:
        def call(self: Any, x: Tensor) -> Tensor:
            return dropout(self.layer(x), 0.2 + 0.1 * second)

        fit(seeded(lambda: Named(call, layer=nn.Linear(4, 6))))

    assert "compute different things inside their forward pass: inputs, weights, random" in said_of(
        train
    )


def test_what_the_optimizer_keeps() -> None:
    def train(second: bool) -> None:
        model = mlp()
        optimizer = sgd(model, momentum=0.9)
        fit(model, optimizer, after=lambda n: optimizer.state.clear() if second and n == 2 else 0)

    said = said_of(train)
    assert "part at step 3, link update" in said
    assert "makes a different update of them than B's: its state (averages, count of steps)" in said


def test_weights_of_an_earlier_step() -> None:
    def train(second: bool) -> None:
        model = mlp()
        kept: dict[str, Any] = {}

        def back(step: int) -> None:
            if step == 1:
                kept.update({n: t.clone() for n, t in model.state_dict().items()})
            if step == 3 and second:
                model.load_state_dict(kept)

        fit(model, after=back)

    said = said_of(train)
    assert "B's weights before step 4 are those that it had after step 1" in said


def test_weights_that_no_optimizer_changed() -> None:
    def train(second: bool) -> None:
        model = mlp()
        fit(model, after=lambda n: model[0].bias.data.add_(1e-3) if second and n == 2 else 0)

    said = said_of(train)
    assert (
        "after step 2, which left equal weights, 0.bias was changed by something that is no" in said
    )


def test_a_reference_model_is_no_evaluation() -> None:
    def train(second: bool) -> None:
        model = mlp()
        other = seeded(lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), 2).train(second)
        optimizer = sgd(model)
        for step in range(3):
            optimizer.zero_grad()
            with torch.no_grad():
                wanted = other(rows(seed=step))
            (model(rows(seed=step)) - wanted).pow(2).mean().backward()
            optimizer.step()

    said = said_of(train)
    assert (
        "part at step 1, link mode\nlikely cause: Sequential, a second model that doesn't train"
        in said
    )


def test_autocast_of_a_reference_model_is_its_mode() -> None:
    def train(second: bool) -> None:
        model, other = mlp(), seeded(lambda: nn.Linear(4, 3), 2)
        optimizer = sgd(model)
        for step in range(3):
            optimizer.zero_grad()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=second):
                wanted = other(rows(seed=step)).float()
            (model(rows(seed=step)) - wanted).pow(2).mean().backward()
            optimizer.step()

    said = said_of(train)
    assert "part at step 1, link mode\nlikely cause: Linear computes in A without autocast" in said


def test_runs_of_two_lengths_say_so() -> None:
    def train(second: bool) -> None:
        fit(mlp(), sgd(mlp()), steps=1)
        model = mlp()
        fit(model, sgd(model, 0.2 if second else 0.1), steps=5 if second else 3)

    assert "A has 4 steps, B 6" in said_of(train)


def test_a_tie_that_came_undone() -> None:
    class Tied(nn.Module):
        def __init__(self, tied: bool) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 4)
            self.head = nn.Linear(4, 20, bias=False)
            if tied:
                self.head.weight = self.embedding.weight
            else:
                self.head.weight = nn.Parameter(self.embedding.weight.detach().clone())

        def forward(self, input_ids: Tensor) -> Tensor:
            logits: Tensor = self.head(self.embedding(input_ids))
            return cross_entropy(logits.flatten(0, 1), input_ids.flatten())

    def train(second: bool) -> None:
        model = seeded(lambda: Tied(not second))
        optimizer = sgd(model)
        for step in range(3):
            optimizer.zero_grad()
            model(texts(step)).backward()
            optimizer.step()

    said = said_of(train)
    assert said.startswith("incomparable: ")
    assert (
        "likely cause: B has head.weight as a tensor of its own, which begins as a copy of its"
        in said
    )
    assert "yet the two part at step 2, link forward: loss: " in said


@pytest.mark.parametrize("named", [True, False])
def test_the_only_number_to_backpropagate_is_the_loss(named: bool) -> None:
    def call(self: Any, x: Tensor) -> Any:
        loss = self.layer(x).pow(2).mean()
        return {"total": loss} if named else loss

    def train() -> None:
        model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
        given = model(rows())
        (given["total"] if named else given).backward()
        sgd(model).step()

    ((forward,),) = [step["forward"] for step in watch(train).steps]
    assert list(forward) == ["loss"]


def test_the_verdict_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{name}.jsonl" for name in "ab"]
    for path, rate in zip(paths, (0.1, float("inf")), strict=True):
        with Observer(Writer(path, {})):
            model = mlp()
            fit(model, sgd(model, rate), steps=3)
    a, b = map(str, paths)
    assert main(["diff", a, b, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [said[name] for name in ("schema", "a", "b", "verdict", "step", "link", "steps")] == [
        *(1, a, b, "diverged", 1, "optimizer", 0)
    ]
    assert said["unequal"][0]["field"] == "learning_rate"
    assert said["sentence"].startswith(
        f"diverged: A ({a}) and B ({b}) part at step 1, link optimizer: "
    )
    assert main(["diff", a, a, "--json"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert (same["verdict"], same["step"], same["unequal"], same["reason"]) == (
        *("identical", None, [], None),
    )
    page = (ROOT / "docs" / "diff-and-explain.md").read_text(encoding="utf-8")
    assert [name for name in said if f"`{name}`" not in page] == []
    assert said["cause"] == said["causes"][0]["words"]
    assert said["cause"].startswith("learning_rate is 0.1 in A and inf in B")
    assert said["advice"].startswith("look at lr")
    assert [name for name in said["causes"][0] if f"`{name}`" not in page] == []
    assert [name for name in said["unequal"][0] if f"`{name}`" not in page] == []
    assert [name for name in said["curve"][0] if f"`{name}`" not in page] == []


def test_padding_of_other_values_is_counted() -> None:
    ids = texts()
    mask = (torch.arange(6) < torch.tensor([[6], [5], [3], [2]])).long()

    def read_padded(pad: int) -> Ledger:
        def train() -> None:
            def call(self: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
                return self.words(input_ids, input_ids)["loss"]

            model = seeded(lambda: Named(call, words=Words()))
            padded = torch.where(mask == 1, ids, pad)
            model(input_ids=padded, attention_mask=mask).backward()
            sgd(model).step()

        return watch(train)

    said = "\n".join(lines("a and b", diff(read_padded(0), read_padded(19))))
    assert "input_ids: the same rows, padded differently in 8 places" in said
