"""A ledger's file that somebody edited by hand is never `identical`, whatever was edited.

Each value of each kind of record is changed, taken out, put in twice and shortened; and lines are.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from reference.diff.ledgers import diff
from reference.diff.notes import Unsealed
from reference.diff.tolerance import diff_within
from reference.errors import InputError
from reference.ledger.record import Writer, encode, read_ledger
from reference.observe.observer import Observer

Place = tuple[Any, ...]  # keys from the outermost to the innermost


class Counted(nn.Module):
    """Two passes a step, buffers of both kinds, dropout that draws numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
        self.head = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        outputs: torch.Tensor = self.head(self.body(x))
        return outputs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("kept") / "ledger.jsonl"
    with Observer(Writer(path, {})) as observer:
        model, criterion = Counted(), nn.CrossEntropyLoss()
        groups = [{"params": model.body.parameters()}, {"params": model.head.parameters()}]
        groups[1]["lr"] = 0.02  # type: ignore[assignment]
        optimizer = AdamW(groups, 0.01)
        for _ in range(3):
            optimizer.zero_grad()
            for _ in range(2):
                loss = criterion(model(torch.randn(5, 4)), torch.randint(0, 2, (5,)))
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            criterion(model(torch.randn(5, 4)), torch.randint(0, 2, (5,)))
        observer.add_scores({"accuracy": 0.5})
    return path


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place in a record."""
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    for key, one in inner.items() if isinstance(inner, dict) else ():
        yield (*path, key)
        yield from places(one, (*path, key))


def at(record: Any, path: Place) -> Any:
    for key in path:
        record = record[key]
    return record


def other(value: Any) -> Any:
    """Another value that could stand there."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if value is None:
        return 0.25
    if isinstance(value, str):
        first, *rest = value.split(" ")
        digit = "1" if first[:1] == "0" else "0"
        return " ".join([digit + first[1:], *rest]) if first else "0"
    return type(value)()


Edit = Callable[[Any, Any], None]  # gets what holds the value, and under which key


def change(holder: Any, key: Any) -> None:
    holder[key] = other(holder[key])


def take_out(holder: Any, key: Any) -> None:
    del holder[key]


def put_in_twice(holder: Any, key: Any) -> None:
    if not isinstance(holder, list):
        holder[f"{key} 2"] = copy.deepcopy(holder[key])
    else:
        holder.insert(key, copy.deepcopy(holder[key]))


def shorten(holder: Any, key: Any) -> None:
    if isinstance(holder[key], str) and " " in holder[key]:
        holder[key] = holder[key].rpartition(" ")[0]
    else:
        change(holder, key)


EDITS: tuple[Edit, ...] = (change, take_out, put_in_twice, shorten)


def verdict_of(kept: Path, lines: list[bytes]) -> str:
    edited = kept.with_name("edited.jsonl")
    edited.write_bytes(b"".join(lines))
    with suppress(InputError):
        return diff(kept, edited).verdict
    return "refused"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("kind", ["model", "step", "evaluation", "end"])
def test_no_edited_value_is_identical(kept: Path, kind: str, edit: Edit) -> None:
    ledger = read_ledger(kept)
    lines = kept.read_bytes().splitlines(keepends=True)
    row = [n for n, item in enumerate(ledger.items, 1) if item.kind == kind][-1]
    record = ledger.items[row - 1].record
    passed = []
    for path in places(record):
        changed = copy.deepcopy(record)
        edit(at(changed, path[:-1]), path[-1])
        if changed != record:
            lines[row] = encode(changed)
            passed += [path] if verdict_of(kept, lines) == "identical" else []
    assert passed == []


def test_no_edited_line_is_identical(kept: Path) -> None:
    lines = kept.read_bytes().splitlines(keepends=True)
    assert verdict_of(kept, lines) == "identical"
    for row in range(len(lines)):
        assert verdict_of(kept, [*lines[:row], *lines[row + 1 :]]) != "identical"
        assert verdict_of(kept, [*lines[: row + 1], *lines[row:]]) != "identical"


def test_an_edited_ledger_says_so(kept: Path) -> None:
    edited = kept.with_name("edited.jsonl")
    edited.write_bytes(kept.read_bytes().replace(b'"zeroed":false', b'"zeroed":true'))
    verdict = diff(kept, edited)
    said = "the second ledger's lines aren't those that its end seals"
    assert (verdict.verdict, verdict.detail) == ("incomparable", f"equal for 3 steps; {said}")
    assert f"{said}: edited, or not written by this package" in verdict.notes


@pytest.fixture
def older(kept: Path) -> Path:
    """The same ledger as schema 2 would have it, without a seal."""
    records = [
        read_ledger(kept).header | {"schema": 2},
        *(i.record for i in read_ledger(kept).items),
    ]
    path = kept.with_name("older.jsonl")
    path.write_bytes(
        b"".join(encode({k: v for k, v in record.items() if k != "seal"}) for record in records)
    )
    return path


def test_a_ledger_of_schema_2_has_no_seal_and_its_verdict_says_so(kept: Path, older: Path) -> None:
    for other, sides in ((older, (0, 1)), (kept, (0,))):
        verdict = diff(older, other)
        assert verdict.verdict == "identical"
        assert Unsealed(sides) in verdict.remarks
    assert not any(isinstance(note, Unsealed) for note in diff(kept, kept).remarks)


def test_a_sealed_ledger_is_not_made_an_older_one(kept: Path) -> None:
    edited = kept.with_name("edited.jsonl")
    content = kept.read_bytes().replace(b'"schema":3', b'"schema":2', 1)
    edited.write_bytes(content.replace(b'"zeroed":false', b'"zeroed":true'))
    assert diff(edited, edited).verdict == "incomparable"


@pytest.mark.parametrize("more", [b" ", b'{"kind":"step"', b"\0" * 4096])
def test_nothing_stands_after_the_end(more: bytes, kept: Path) -> None:
    """A line that is cut was being written when the run was killed; after the end none was."""
    edited = kept.with_name("edited.jsonl")
    edited.write_bytes(kept.read_bytes() + more)
    rows = len(kept.read_bytes().splitlines())
    with pytest.raises(InputError) as caught:
        diff(kept, edited)
    assert str(caught.value).startswith(f"{edited}: row {rows + 1}: after the end; ")


@pytest.mark.parametrize(
    ("field", "put"),
    [("outputs", {"output": ["0"]}), ("outputs", {"output": [7, "x"]}), ("inputs", None)],
)
def test_a_damaged_evaluation_is_refused_by_row_and_field(field: str, put: Any, kept: Path) -> None:
    edited = kept.with_name("edited.jsonl")
    ledger = read_ledger(kept)
    records = copy.deepcopy([ledger.header, *(item.record for item in ledger.items)])
    row = next(i for i, record in enumerate(records) if record["kind"] == "evaluation")
    records[row]["metrics"][field] = put
    if put is None:
        del records[row]["metrics"][field]
    edited.write_bytes(b"".join(map(encode, records)))
    with pytest.raises(InputError) as caught:
        diff(kept, edited)
    assert str(caught.value).startswith(f"{edited}: row {row + 1}: field metrics.{field}")


def test_an_edited_ledger_is_not_within_an_envelope(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    faults = {
        "edited": whole.replace(b'"zeroed":false', b'"zeroed":true'),
        "cut": b"".join(whole.splitlines(keepends=True)[:-1]),
        "newer": whole.replace(b'"schema":3', b'"schema":4', 1),
    }
    assert diff_within(kept, kept, kept, kept).verdict == "identical"
    for name, content in faults.items():
        path = tmp_path / name
        path.write_bytes(content)
        for pair in ((kept, path), (path, kept)):
            assert diff_within(*pair, kept, kept).verdict == "incomparable", name
    with pytest.raises(InputError, match="--envelope: lines that their end doesn't seal"):
        diff_within(kept, kept, kept, tmp_path / "edited")
