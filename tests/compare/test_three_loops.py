"""The comparison's own decisions: how many loops at once, and what its words and codes are."""

import errno
import os
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.compare import three_loops
from reference.diff.verdict import Verdict
from reference.ledger.record import LEDGER_FILE, Record, Writer
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.run import worker_processes
from reference.run.worker_processes import default_jobs


@pytest.mark.parametrize(
    ("device", "gpu", "threads", "cores", "jobs"),
    [
        ("cpu", True, 1, 2, 3),  # one thread each: all at once, on any number of cores
        ("cpu", True, 2, 2, 1),
        ("cpu", False, 2, 4, 2),
        ("cpu", False, 2, 64, 3),
        ("cpu", False, 8, 2, 1),
        ("auto", False, 1, 2, 3),
        ("auto", False, 2, 2, 1),  # no GPU: as on a CPU
        ("auto", False, 2, 4, 2),
        ("auto", True, 1, 64, 1),  # a GPU is for one loop at a time
        ("cuda", False, 1, 64, 1),
    ],
)
def test_default_jobs(
    device: str, gpu: bool, threads: int, cores: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "_may_have_gpu", lambda: gpu)
    monkeypatch.setattr(worker_processes, "usable_cores", lambda: cores)
    assert default_jobs(Recipe(device=device, num_threads=threads)) == jobs <= len(LOOPS)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ("identical identical", 0),
        ("identical diverged", 1),
        ("incomparable diverged", 1),  # one difference is proven
        ("identical incomparable", 2),
    ],
)
def test_exit_codes_of_compare(
    verdicts: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three loops' runs made up, and what the two comparisons say given."""
    given = iter(Verdict(word, 1, 2, "clip", "why") for word in verdicts.split())

    def no_training(_jobs: object, run_dir: Path, **_how: object) -> None:
        for loop in LOOPS:
            (run_dir / loop).mkdir()
            Writer(run_dir / loop / LEDGER_FILE, {}).close()
            (run_dir / loop / "metrics.json").write_text(
                '{"loop": "l", "steps": 1, "final_loss": 0.1, "scores": {}, "seconds": 1.0,'
                ' "weights": "0"}'
            )

    monkeypatch.setattr(three_loops, "run_all", no_training)
    monkeypatch.setattr(three_loops, "diff", lambda _a, _b: next(given))
    assert main(["compare", "--device", "cpu", "--run-dir", str(tmp_path / "run")]) == code


@pytest.mark.parametrize(("word", "code"), [("identical", 0), ("diverged", 1), ("incomparable", 2)])
def test_exit_codes_of_diff(
    word: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Writer(tmp_path / LEDGER_FILE, {}).close()
    monkeypatch.setattr("reference.diff.ledgers.diff", lambda _a, _b, offset: Verdict(word, 1))
    assert main(["diff", str(tmp_path), str(tmp_path)]) == code


def test_a_full_disk_ends_our_own_run_in_one_line(
    small: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run is made for its ledger; `observe` goes on, for other people's."""
    write, rows = Writer.write, []

    def full(self: Writer, record: Record) -> None:
        rows.append(record)
        if len(rows) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "ledger"))
        write(self, record)

    monkeypatch.setattr(Writer, "write", full)
    options = ["--data", small.data, "--device", "cpu", "--run-dir", str(tmp_path / "run")]
    assert main(["train", "manual", *options]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"reference: error: {tmp_path / 'ledger'}: No space left on device; ")
    assert "free some space" in last
