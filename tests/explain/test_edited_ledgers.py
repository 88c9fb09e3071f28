"""Of a ledger's file that somebody edited by hand nothing is proven, whatever was edited.

In the place of a training stand the records of the ledger as it was written: a replay that came out
equal in all that the edit left alone.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reference.errors import InputError
from reference.explain.follower import Follower
from reference.explain.replay import Replays
from reference.ledger.reader import Ledger, read_ledger
from tests.helpers.edits import EDITS, KINDS, Edit, edited, write_ledger

NO_RECIPE: Any = None


class Repeats(Replays):
    """Replays that train nothing, and write what a ledger holds."""

    def __init__(self, target: Ledger, written: Ledger) -> None:
        super().__init__(target, written.header, NO_RECIPE, NO_RECIPE)
        self._written = written

    def _train(self, _loop: Any, follower: Follower) -> None:
        for item in self._written.items:
            follower.write(item.record)
        follower.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kept") / "ledger.jsonl"
    write_ledger(path)
    return path


def is_proven(kept: Path, lines: list[bytes]) -> bool:
    file = kept.with_name("edited.jsonl")
    file.write_bytes(b"".join(lines))
    with suppress(InputError):  # it is refused
        return Repeats(read_ledger(file), read_ledger(kept)).run(()).proven
    return False


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_proven_of_an_edited_value(kept: Path, kind: str, edit: Edit) -> None:
    proven = {path: is_proven(kept, lines) for path, lines in edited(kept, kind, edit)}
    assert proven
    assert [path for path, is_so in proven.items() if is_so] == []


def test_nothing_is_proven_of_an_edited_line(kept: Path) -> None:
    """Without its last line it is that of a run that was killed, and proven as far as it goes."""
    lines = kept.read_bytes().splitlines(keepends=True)
    assert is_proven(kept, lines)
    for row in range(len(lines)):
        assert not is_proven(kept, [*lines[: row + 1], *lines[row:]])
    for row in range(len(lines) - 1):
        assert not is_proven(kept, [*lines[:row], *lines[row + 1 :]])
    killed = Repeats(
        Ledger(read_ledger(kept).header, read_ledger(kept).items[:-1]), read_ledger(kept)
    )
    outcome = killed.run(())
    assert outcome.proven
    assert outcome.verdict.verdict == "incomparable"
