"""A ledger's file that somebody edited by hand is never `identical`, whatever was edited.

Each value of each kind of record is changed, taken out, put in twice and shortened; and lines are.
"""

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reference.diff.ledgers import diff
from reference.diff.notes import Unsealed
from reference.diff.tolerance import diff_within
from reference.errors import InputError
from reference.ledger.reader import read_ledger
from reference.ledger.record import SCHEMA, encode
from tests.helpers.edits import EDITS, KINDS, Edit, edited, write_ledger


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kept") / "ledger.jsonl"
    write_ledger(path)
    return path


def verdict_of(kept: Path, lines: list[bytes]) -> str:
    file = kept.with_name("edited.jsonl")
    file.write_bytes(b"".join(lines))
    with suppress(InputError):
        return diff(kept, file).verdict
    return "refused"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_no_edited_value_is_identical(kept: Path, kind: str, edit: Edit) -> None:
    verdicts = {path: verdict_of(kept, lines) for path, lines in edited(kept, kind, edit)}
    assert verdicts
    assert [path for path, verdict in verdicts.items() if verdict == "identical"] == []


def test_no_edited_line_is_identical(kept: Path) -> None:
    lines = kept.read_bytes().splitlines(keepends=True)
    assert verdict_of(kept, lines) == "identical"
    for row in range(len(lines)):
        assert verdict_of(kept, [*lines[:row], *lines[row + 1 :]]) != "identical"
        assert verdict_of(kept, [*lines[: row + 1], *lines[row:]]) != "identical"


def test_an_edited_ledger_says_so(kept: Path) -> None:
    file = kept.with_name("edited.jsonl")
    file.write_bytes(kept.read_bytes().replace(b'"zeroed":false', b'"zeroed":true'))
    verdict = diff(kept, file)
    said = "B's lines aren't those that its end seals"
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
    content = kept.read_bytes().replace(b'"schema":%d' % SCHEMA, b'"schema":2', 1)
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
        "newer": whole.replace(b'"schema":%d' % SCHEMA, b'"schema":%d' % (SCHEMA + 1), 1),
    }
    assert diff_within(kept, kept, kept, kept).verdict == "identical"
    for name, content in faults.items():
        path = tmp_path / name
        path.write_bytes(content)
        for pair in ((kept, path), (path, kept)):
            assert diff_within(*pair, kept, kept).verdict == "incomparable", name
    with pytest.raises(InputError, match="--envelope: lines that their end doesn't seal"):
        diff_within(kept, kept, kept, tmp_path / "edited")
