"""A step's line is short: hashes are packed in the file, and what follows from other fields is left
out. Records have all of it."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from reference.diff.ledgers import diff
from reference.errors import InputError
from reference.ledger.packed_lists import count_runs, pack, repeat_runs, unpack
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import Writer
from tests.helpers.small import net, watch

HASHES = st.one_of(st.just("-"), st.from_regex("[0-9a-f]{16}", fullmatch=True))


RUNS = st.tuples(HASHES, st.integers(1, 20)).map(lambda run: [run[0]] * run[1])


@given(st.lists(RUNS))
def test_what_is_packed_is_unpacked(runs: list[list[str]]) -> None:
    listed = " ".join(entry for run in runs for entry in run)
    assert unpack(pack(listed)) == listed
    assert len(pack(listed)) <= len(listed)


@given(st.lists(st.tuples(st.sampled_from(["0", "1", "10", "x", "-"]), st.integers(1, 20))))
def test_what_is_counted_is_repeated(runs: list[tuple[str, int]]) -> None:
    listed = " ".join(entry for entry, count in runs for _ in range(count))
    assert repeat_runs(count_runs(listed)) == listed
    assert len(count_runs(listed)) <= len(listed)


def test_the_places_of_dead_models_take_no_room() -> None:
    hashes = " ".join(["-"] * 2000 + ["0123456789abcdef"] * 3)
    assert len(pack(hashes)) < 50


def test_a_list_longer_than_any_is_refused_before_it_is_made() -> None:
    with pytest.raises(ValueError, match="more than"):
        unpack("-*9999999 -*9999999999999")


def test_a_long_list_is_a_third_shorter() -> None:
    listed = " ".join(["0123456789abcdef"] * 100)
    assert len(pack(listed)) < 0.64 * len(listed)


@pytest.mark.parametrize("text", ["", "0000000000000000", "ABCDEF0123456789", "12", "x -", "1  2"])
def test_what_packing_would_change_stays_as_it_is(text: str) -> None:
    assert unpack(pack(text)) == text


def clipped(most: float, loss: float = 1.0) -> None:
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(5, 4)).pow(2).mean().mul(loss).backward()
        nn.utils.clip_grad_norm_(model.parameters(), most)
        optimizer.step()


def written(ledger: Ledger, path: Path) -> Path:
    writer = Writer(path, {})
    for item in ledger.items:
        writer.write(item.record)
    writer.close()
    return path


def test_a_files_records_are_those_that_were_written(tmp_path: Path) -> None:
    ledger = watch(clipped, 0.1)
    path = written(ledger, tmp_path / "a")
    assert read_ledger(path).steps == ledger.steps
    line = json.loads(path.read_bytes().splitlines()[2])
    assert line["kind"] == "step"
    assert line["gradient"]["tensors"].startswith("=")


@pytest.mark.parametrize("packed", ["=AAAA", "=AAAAAAAAAA", "=?", "=AAAAAAAAAAAA "])
def test_a_damaged_list_is_refused_with_its_field(packed: str, tmp_path: Path) -> None:
    path = with_clip(packed, tmp_path)
    with pytest.raises(InputError, match=r"a: row 3: field clip\.tensors: .*; edited or damaged"):
        diff(path, path)


def test_a_list_that_was_emptied_is_not_identical(tmp_path: Path) -> None:
    path = with_clip("=", tmp_path)
    assert diff(path, path).verdict == "incomparable"


def with_clip(tensors: str, folder: Path) -> Path:
    path = written(watch(clipped, 0.1), folder / "a")
    lines = path.read_bytes().splitlines()
    step = json.loads(lines[2])
    step["clip"]["tensors"] = tensors
    lines[2] = json.dumps(step, separators=(",", ":")).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_norms_that_follow_from_the_factor_are_in_no_line_and_in_the_verdict() -> None:
    runs = [watch(clipped, most) for most in (0.1, 0.2)]
    assert all("norms" not in step["clip"] for run in runs for step in run.steps)
    (unequal,) = (u for u in diff(*runs).unequal if u.tensor)
    first = runs[0].steps[0]
    norm = float(first["gradient"]["norms"].split()[0]) * first["clip"]["factor"]
    assert (unequal.link, unequal.field, unequal.tensor) == ("clip", "norm", "0.weight")
    assert unequal.left == pytest.approx(norm, rel=1e-6)
    assert unequal.right == pytest.approx(2 * norm, rel=1e-5)


def test_norms_of_gradients_that_are_clipped_one_by_one_are_in_the_line() -> None:
    def by_value() -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        model(torch.ones(5, 4)).pow(2).mean().backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.01)
        optimizer.step()

    (step,) = watch(by_value).steps
    assert len(step["clip"]["norms"].split()) == 4
