"""Many seeds, trained: stopped and gone on with, refused where somebody or something is there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.lesson.recipe import Recipe
from reference.run import worker_processes
from reference.seeds import stored_ranges, training
from reference.seeds.folder import PLAN, default_folder, finished, plan_of, read_seeds, taken
from reference.seeds.seed_scores import SeedScores
from reference.seeds.training import default_jobs, seeds
from tests.conftest import ROOT, write_mrpc
from tests.helpers.refusal import refusal, says
from tests.helpers.seed_folders import recipe as made
from tests.helpers.waiting import LIMIT, has_ended, wait_until

N = 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    glue = write_mrpc(tmp_path_factory.mktemp("glue"), 44, 20)
    return made(data=str(glue), num_train_epochs=4, learning_rate=2e-3, seed=7)


@pytest.fixture(scope="module")
def trained(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> SeedScores:
    """Three seeds, trained two at a time."""
    return seeds(tiny, N, tmp_path_factory.mktemp("seeds") / "run", jobs=2)


def words(recipe: Recipe, run_dir: Path, n: int = N) -> list[str]:
    options = ["--data", recipe.data, "--device", "cpu", "--lr", "2e-3", "--seed", "7"]
    return ["seeds", "--n", str(n), *options, "--epochs", "4", "--run-dir", str(run_dir)]


def children_of(pid: int) -> set[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    inner = [children_of(int(child)) for child in listed]
    return {*map(int, listed)}.union(*inner)


@pytest.mark.smoke
def test_seeds_are_runs_of_the_recipe_with_the_seeds_that_follow(trained: SeedScores) -> None:
    folder = Path(trained.name)
    assert list(trained.metrics) == [7, 8, 9]
    assert len({each["weights"] for each in trained.metrics.values()}) == N
    for seed in trained.metrics:
        assert json.loads((folder / str(seed) / "recipe.json").read_text())["seed"] == seed
    assert {each.name for each in folder.iterdir()} == {"7", "8", "9", "seeds.json", "seeds.lock"}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_killed_in_the_middle_the_same_command_goes_on(
    tiny: Recipe, trained: SeedScores, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "reference", *words(tiny, run_dir), "--jobs", "1"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((run_dir / "7").exists, "the first seed")
    said = refusal(lambda: seeds(tiny, N, run_dir))
    says(said, str(run_dir), "another command trains into it")
    others = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT)
    wait_until(lambda: all(has_ended(pid) for pid in others), "the end of its processes")
    done = finished(run_dir)
    assert 1 <= len(done) < N
    assert list(run_dir.glob("unfinished-*"))
    before = (run_dir / "7" / "metrics.json").stat()
    capfd.readouterr()
    assert main(words(tiny, run_dir)) == 0
    said = capfd.readouterr().err
    assert f"{run_dir}: {len(done)} of {N} seeds are there, {N - len(done)} are left" in said
    after = (run_dir / "7" / "metrics.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not list(run_dir.glob("unfinished-*"))
    for seed, metrics in read_seeds(run_dir).metrics.items():
        assert metrics["weights"] == trained.metrics[seed]["weights"]
        assert metrics["scores"] == trained.metrics[seed]["scores"]


def test_ctrl_c_ends_all_and_says_how_to_go_on(tiny: Recipe, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "reference", *words(tiny, run_dir, 40)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: list(run_dir.glob("unfinished-*/*/ledger.jsonl")), "a seed's ledger")
    others = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "reference: error: stopped by Ctrl-C"
    assert "the same command goes on from there" in said
    wait_until(lambda: all(has_ended(pid) for pid in others), "the end of its processes")


def test_those_there_are_not_trained_again(
    tiny: Recipe, trained: SeedScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "starter", None)  # whoever starts one fails
    assert seeds(tiny, N, trained.name).metrics == trained.metrics
    assert list(seeds(tiny, 2, trained.name).metrics) == [7, 8]


def test_another_recipe_loop_or_version_is_refused_by_its_field(
    tiny: Recipe, trained: SeedScores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made(data=tiny.data, num_train_epochs=4, learning_rate=3e-3, seed=7)
    line = refusal(lambda: seeds(other, N, trained.name))
    says(line, trained.name, "recipe.learning_rate 0.002", "0.003 is asked for", "--run-dir")
    line = refusal(lambda: seeds(tiny, N, trained.name, loop="trainer"))
    says(line, "loop 'manual'", "'trainer'")
    monkeypatch.setattr("reference.seeds.folder.versions", lambda: {"torch": "9.9"})
    says(refusal(lambda: seeds(tiny, N, trained.name)), "versions.torch", "'9.9' is asked for")


def test_other_rows_under_the_same_name_are_seen_when_a_seed_begins(
    tiny: Recipe, trained: SeedScores, tmp_path: Path
) -> None:
    glue = Path(shutil.copytree(tiny.data, tmp_path / "glue"))
    mine = made(data=str(glue), num_train_epochs=500, learning_rate=2e-3, seed=7)
    run_dir = Path(shutil.copytree(trained.name, tmp_path / "run"))
    for seed in trained.metrics:  # as they would be after a training of 500 epochs on these rows
        ledger = run_dir / str(seed) / "ledger.jsonl"
        line = json.loads(ledger.read_text().splitlines()[0])
        line["recipe"] |= {"data": str(glue), "num_train_epochs": 500}
        line["data"]["source"], line["num_training_steps"] = str(glue), 3000
        ledger.write_text(json.dumps(line, separators=(",", ":")) + "\n")
    (run_dir / PLAN).write_text(json.dumps(plan_of(mine, "manual")))
    dev = glue / "MRPC" / "dev.tsv"
    dev.write_text(dev.read_text("utf-8-sig").replace("\t1\t1\t", "\t1\t1\tnow ", 1), "utf-8-sig")
    line = refusal(lambda: seeds(mine, N + 1, run_dir))
    says(line, "unfinished-", "field data.sha256", "in the seeds beside it")
    assert finished(run_dir) == [7, 8, 9]


def test_a_folder_of_something_else_is_left_alone(tiny: Recipe, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    says(refusal(lambda: seeds(tiny, 2, tmp_path)), str(tmp_path), "something else than seeds")
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]
    says(refusal(lambda: seeds(tiny, 2, tmp_path / "mine.txt")), "no folder for seeds")


def test_one_at_a_time(tiny: Recipe, tmp_path: Path) -> None:
    plan = plan_of(tiny, "manual")
    with taken(tmp_path / "run", plan):
        says(refusal(lambda: seeds(tiny, 2, tmp_path / "run")), "another command trains into it")
    with taken(tmp_path / "run", plan) as new:
        assert not new


def test_what_makes_no_sense_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    says(refusal(lambda: seeds(tiny, 1, tmp_path)), "n: 1", "no spread")
    says(refusal(lambda: seeds(tiny, 2, tmp_path, loop="manuel")), "manual")
    last = made(seed=2**32 - 1)
    says(refusal(lambda: seeds(last, 2, tmp_path)), "seed: 4294967296 makes no sense")


def test_a_seed_that_cannot_train_is_said_and_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Parquet is read only where it is trained."""
    (tmp_path / "MRPC").mkdir()
    for split in ("train", "validation"):
        (tmp_path / "MRPC" / f"{split}.parquet").write_bytes(b"PAR1 and no more")
    options = ["--data", str(tmp_path), "--device", "cpu", "--run-dir", str(tmp_path / "run")]
    assert main(["seeds", "--n", "2", *options]) == 2
    last = capfd.readouterr().err.splitlines()[-1]
    says(last, "reference: error: ", ".parquet")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("device", "gpu", "threads", "cores", "jobs"),
    [
        ("cpu", True, 1, 8, 8),
        ("cpu", False, 3, 8, 2),
        ("cpu", False, 9, 8, 1),
        ("auto", True, 1, 8, 1),
    ],
)
def test_a_core_for_each_or_one_gpu(
    device: str, gpu: bool, threads: int, cores: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "_may_have_gpu", lambda: gpu)
    monkeypatch.setattr(training, "usable_cores", lambda: cores)
    assert default_jobs(Recipe(device=device, num_threads=threads)) == jobs


def test_the_default_folder_is_the_recipes_own(tiny: Recipe) -> None:
    other = made(data=tiny.data, learning_rate=3e-3)
    folders = [
        default_folder(*of) for of in ((tiny, "manual"), (other, "manual"), (tiny, "trainer"))
    ]
    assert len({*folders}) == 3
    assert default_folder(tiny, "manual") == folders[0]


def test_train_and_compare_judge_by_stored_seeds(
    tiny: Recipe,
    trained: SeedScores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stored ones are the trained ones; then the same with what nobody reaches planted."""
    monkeypatch.setattr(stored_ranges, "RANGES", tmp_path)
    stored = trained.to_json()
    wide = {"lowest": 0.0, "highest": 1.0}
    stored["statistics"] = dict.fromkeys(stored["statistics"], wide)
    (tmp_path / "tiny.json").write_text(json.dumps(stored))
    options = words(tiny, tmp_path)[3:-2]
    assert main(["train", "manual", "--no-save", *options, "--run-dir", str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out.splitlines()
    (line,) = [line for line in out if line.startswith("scores: ")]
    says(line, "of 3 stored seeds of this recipe: accuracy ", " in 0.0000 to 1.0000, f1 ")
    says(line, "(50 of 100 seeds are)")
    best = {"lowest": 1.5, "highest": 1.6}
    stored["statistics"] = dict.fromkeys(stored["statistics"], best)
    (tmp_path / "tiny.json").write_text(json.dumps(stored))
    assert main(["compare", *options, "--run-dir", str(tmp_path / "b")]) == 0
    out = capsys.readouterr().out.splitlines()
    (line,) = [line for line in out if line.startswith("unusual scores: ")]
    says(line, "is below 1.5000 to 1.6000", "too good is as odd as too bad")
    more = ["--max-steps", "2", "--run-dir", str(tmp_path / "c")]
    assert main(["train", "manual", "--no-save", *options, *more]) == 0
    assert "scores: " not in capsys.readouterr().out
