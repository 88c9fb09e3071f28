"""How far a search has come, as it is shown: each replay once, also while its processes start."""

import pytest

from reference import terminal
from reference.explain import session


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ([1, 2, 1, 1], ["1 1/5", "1 2/5", "2 1/5", "3 1/5"]),  # in this process
        ([0, 0, 2, 3, 0, 1], ["1 0/5", "1 0/5", "1 2/5", "1 3/5", "2 0/5", "2 1/5"]),  # in others
    ],
)
def test_each_replay_is_counted_once(
    steps: list[int],
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 0.0)
    monkeypatch.setattr(session, "SHOWN_EVERY", 0.0)
    progress = session.ReplayProgress(5)
    for step in steps:
        progress(step)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": replay ")[2].partition(",")[0] for line in lines] == shown
