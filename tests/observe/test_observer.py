"""What the observer keeps, of training that isn't this project's as well."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.errors import InputError, TrainingFailed
from reference.ledger.link_table import LINKS
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE, SCHEMA, Writer
from reference.lesson.loops import LOOPS, manual
from reference.lesson.recipe import Recipe
from reference.observe.generators import generator_states
from reference.observe.observer import Observer
from reference.observe.tensors.hashing import hash_tensor, hash_tensors
from reference.run.one_run import run
from tests.helpers.small import UNEVALUATED


def train_plain(path: Path, *, bump: float = 0.0) -> Ledger:
    """Four steps of a plain loop with no Transformers in it; `bump` moves one weight once."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Observer(Writer(path, {})):
        for step in range(4):
            inputs, labels = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1])
            loss = torch.nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            if bump and step == 2:
                model[2].bias.data[0] += bump
            optimizer.step()
    return read_ledger(path)


def test_a_plain_loop_is_kept_link_by_link(tmp_path: Path) -> None:
    ledger = train_plain(tmp_path / "a")
    assert len(ledger.steps) == 4
    for step in ledger.steps:
        assert set(LINKS) <= set(step)
        assert step["gradient"]["backward_passes"] == 1
    (model,) = ledger.models
    assert [name for name, *_ in model["parameters"]] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]
    assert diff(ledger, train_plain(tmp_path / "b")).verdict == "identical"


def test_one_bit_of_one_weight_is_named(tmp_path: Path) -> None:
    verdict = diff(train_plain(tmp_path / "a"), train_plain(tmp_path / "b", bump=1e-7))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")
    assert verdict.detail.startswith("1 of 4 tensors, first 2.bias: ")


def test_observing_changes_no_bit(tmp_path: Path) -> None:
    def weights(watched: bool) -> list[str]:
        torch.manual_seed(3)
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        observer = Observer(Writer(tmp_path / "ledger", {})) if watched else None
        if observer:
            observer.start()
        for _ in range(5):
            model(torch.randn(4, 3)).square().mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            optimizer.zero_grad()
        if observer:
            observer.finish(complete=True)
        return hash_tensors(model.parameters())

    assert weights(watched=True) == weights(watched=False)


def test_the_hooks_are_gone_afterwards(tmp_path: Path) -> None:
    train_plain(tmp_path / "a")
    size = (tmp_path / "a").stat().st_size
    train_plain(tmp_path / "b")
    assert (tmp_path / "a").stat().st_size == size
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


def test_hashes_tell_bits_apart() -> None:
    zeros = torch.zeros(3)
    assert hash_tensor(zeros) == hash_tensor(torch.zeros(3))
    assert hash_tensor(zeros) != hash_tensor(-zeros)
    assert hash_tensor(torch.tensor([1.0, 2.0])) != hash_tensor(torch.tensor([2.0, 1.0]))
    assert hash_tensor(torch.arange(6).view(2, 3).T) == hash_tensor(
        torch.tensor([0, 3, 1, 4, 2, 5])
    )
    assert hash_tensors([None, torch.empty(0)])[0] == "-"


def test_each_generator_shows() -> None:
    import random

    import numpy as np

    before = generator_states()
    random.random()
    np.random.rand()
    torch.rand(1)
    after = generator_states()
    assert all(before[name] != after[name] for name in ("python", "numpy", "torch"))


def test_a_killed_ledger_is_read_up_to_any_byte(tmp_path: Path) -> None:
    train_plain(tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    header = content.index(b"\n") + 1
    cut = tmp_path / "cut"
    for end in range(header, len(content), 97):
        cut.write_bytes(content[:end])
        ledger = read_ledger(cut)
        assert len(ledger.steps) <= 4
        assert ledger.end is None
    cut.write_bytes(content[: header - 1])
    with pytest.raises(InputError, match="row 1: the header is cut"):
        read_ledger(cut)
    with pytest.raises(InputError, match="row 1: the header is cut"):
        diff(cut, cut)
    cut.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        read_ledger(cut)


def test_a_foreign_or_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    for content in ("hello\n", "[]\n", '{"kind":"step"}\n', '{"kind":"header","schema":1}\n'):
        path.write_text(content)
        with pytest.raises(InputError, match="row 1"):
            read_ledger(path)
    with pytest.raises(InputError, match="no such ledger"):
        read_ledger(tmp_path / "absent")


def test_a_cut_run_is_not_called_identical(tmp_path: Path) -> None:
    whole = train_plain(tmp_path / "whole")
    content = (tmp_path / "whole").read_text().splitlines(keepends=True)
    (tmp_path / "cut").write_text("".join(content[:-1]))
    assert diff(whole, read_ledger(tmp_path / "cut")).verdict == "incomparable"
    (tmp_path / "cut").write_text("".join(content[:-2]))
    verdict = diff(whole, read_ledger(tmp_path / "cut"))
    assert (verdict.verdict, verdict.steps) == ("incomparable", 3)
    (tmp_path / "cut").write_text("".join(content[:-3]))
    verdict = diff(whole, read_ledger(tmp_path / "cut"))
    assert (verdict.verdict, verdict.steps) == ("incomparable", 2)


def test_other_surroundings_are_no_deviation(tmp_path: Path) -> None:
    a, b = train_plain(tmp_path / "a"), train_plain(tmp_path / "b")
    a.header["num_threads"], b.header["num_threads"] = 1, 2
    verdict = diff(a, b)
    assert verdict.verdict == "identical"  # every bit is
    assert verdict.notes == ("not the same: num_threads (1 and 2)", UNEVALUATED)
    c = train_plain(tmp_path / "c", bump=1e-7)
    c.header["num_threads"] = 2
    verdict = diff(a, c)
    assert (verdict.verdict, verdict.step, verdict.link) == ("incomparable", 3, "update")
    assert "bits may differ with nothing wrong, since num_threads (1 and 2)" in verdict.detail


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loss_that_is_not_finite_stops_the_run(loop: str, small: Recipe, tmp_path: Path) -> None:
    """Before the update, naming step and samples; the ledger up to there is kept."""
    wild = replace(small, learning_rate=1e30, max_grad_norm=0.0)
    with pytest.raises(TrainingFailed, match=r"step \d+: .*training rows \d+") as failure:
        run(wild, loop, tmp_path / "run")
    ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
    assert ledger.end is not None
    assert not ledger.end["complete"]
    assert f"step {len(ledger.steps) + 1}:" in str(failure.value)
    rows = str(failure.value).split("training rows ")[1].split(")")[0].split(", ")
    assert 1 <= len(rows) <= 8
    assert all(1 <= int(row) <= 44 for row in rows)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_gradient_that_is_not_finite_stops_the_run(
    small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = manual.load_model

    def poisoned(recipe: Recipe) -> torch.nn.Module:
        model = original(recipe)
        model.classifier.bias.register_hook(lambda gradient: gradient * float("nan"))
        return model

    monkeypatch.setattr(manual, "load_model", poisoned)
    with pytest.raises(TrainingFailed, match="step 1: the gradient is not finite"):
        run(small, "manual", tmp_path / "run")


def test_the_ledger_is_json_lines_with_a_schema(small: Recipe, tmp_path: Path) -> None:
    run(replace(small, max_steps=2), "manual", tmp_path / "run")
    lines = (tmp_path / "run" / LEDGER_FILE).read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["header", "model", "step", "step", "evaluation", "end"]
    header = json.loads(lines[0])
    assert header["schema"] == SCHEMA
    assert header["num_training_steps"] == 2
    assert len(header["checkpoint"]["sha256"]) == 64
    assert len(header["data"]["sha256"]) == 64


def test_what_a_library_raises_is_one_line(
    small_glue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Out of memory, say: exit code 3, not 1, which means diverged."""

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory: tried to get 9 GiB\nand a long story")

    monkeypatch.setattr(manual, "AdamW", full)
    arguments = ["train", "manual", "--data", str(small_glue), "--run-dir", str(tmp_path / "run")]
    assert main(arguments) == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("reference: error: RuntimeError in step 1: out of memory: tried")
    assert not read_ledger(tmp_path / "run" / LEDGER_FILE).end["complete"]


def test_a_forward_pass_that_raises_is_no_part_of_a_step(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Observer(Writer(tmp_path / "ledger", {})):
        with pytest.raises(RuntimeError, match="shapes"):
            model(torch.randn(4, 5))
        model(input=torch.ones(4, 3)).sum().backward()
        optimizer.step()
    (step,) = read_ledger(tmp_path / "ledger").steps
    assert [b["input"][1] for b in step["batch"]] == [[4, 3]]


def test_what_is_frozen_thawed_replaced_or_added_later_is_seen(tmp_path: Path) -> None:
    def train(path: Path, *, replace_head: bool = False) -> Ledger:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        model[0].weight.requires_grad_(False)
        with Observer(Writer(path, {})):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for step in range(4):
                if step == 2:
                    model[0].weight.requires_grad_(True)
                if step == 3 and replace_head:
                    model[1] = torch.nn.Linear(4, 2)
                model(torch.ones(5, 3)).square().mean().backward()
                optimizer.step()
                optimizer.zero_grad()
        return read_ledger(path)

    plain, replaced = train(tmp_path / "a"), train(tmp_path / "b", replace_head=True)
    frozen = [s["gradient"]["tensors"].split()[0] == "-" for s in plain.steps]
    assert frozen == [True, True, False, False]
    assert len(plain.models) == 1
    assert [[n for n, _ in m["parameters"]] for m in replaced.models] == [
        ["0.weight", "0.bias", "1.weight", "1.bias"],
        ["1.weight", "1.bias"],
    ]
    # The optimizer holds the old head, which gets no gradient, and not the new one.
    assert replaced.steps[3]["optimizer"]["of"].split() == ["0", "0", "-", "-", "x", "x"]
    verdict = diff(plain, replaced)
    assert (verdict.verdict, verdict.steps) == ("incomparable", 3 + 1)
    assert "1.weight" in verdict.detail
