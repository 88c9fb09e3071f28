"""Whatever somebody edits in a ledger, `check` examines it or refuses it: it never fails."""

from pathlib import Path
from typing import Any

import pytest

from reference.check.examination import examine
from reference.check.reader import read_training
from reference.check.report_text import json_line, lines
from reference.errors import InputError
from tests.helpers.edits import EDITS, KINDS, Edit, edited, write_ledger

ODD = (None, "inf", [], {}, -1, 1e300, True)  # that no arithmetic takes, or not as it is


def put(value: Any) -> Edit:
    """An edit that puts this in a value's place."""

    def edit(holder: Any, key: Any) -> None:
        holder[key] = value

    return edit


def ends_in_words(path: Path) -> bool:
    """False where it is refused; what else is raised is the test's failure."""
    try:
        examination = examine([read_training(path)])
    except InputError:
        return False
    return bool(lines(examination) and json_line("run", examination))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kept") / "ledger.jsonl"
    write_ledger(path)
    return path


@pytest.mark.parametrize("edit", [*EDITS, *map(put, ODD)])
@pytest.mark.parametrize("kind", KINDS)
def test_an_edited_value_is_examined_or_refused(kept: Path, kind: str, edit: Edit) -> None:
    file = kept.with_name("edited.jsonl")
    ended = []
    for _, each in edited(kept, kind, edit):
        file.write_bytes(b"".join(each))
        ended.append(ends_in_words(file))
    assert ended
    assert ends_in_words(kept)
