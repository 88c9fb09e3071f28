"""The matrix of a few deviations on a small recipe: its runs, its page, and a stop in its midst."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.deviation_matrix import results, scheduler
from reference.deviation_matrix.one_run import FAITHFUL, RUN, read
from reference.deviation_matrix.page import page, results_of
from reference.deviation_matrix.results import CODE, key, make_matrix, needs, setting_of
from reference.deviations import CATALOGUE
from reference.errors import InputError
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import EMBEDDED, load_recipe
from reference.process.workers import Starter, Worker
from tests.conftest import ROOT

# At five steps of six an epoch's last, smaller batch is never come to: the same run.
NAMES = ["f1-averaged", "no-clip", "last-batch-dropped"]
STEPS = 5


@dataclass
class Made:
    """What was started before and after the interruption; the page, and its folder."""

    first: list[str]
    second: list[str]
    code: int
    page: str
    folder: Path
    recipe: Recipe
    work: Path


@pytest.fixture(scope="module")
def made(small_glue: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The command, stopped by Ctrl-C when its fourth task begins, and run again."""
    tmp_path = tmp_path_factory.mktemp("matrix")
    work, out = tmp_path / "work", tmp_path / "docs" / "page.md"
    start, started = scheduler._start, list[str]()

    def counted(task: scheduler.Task, processes: Starter) -> Worker:
        if len(started) == 3:
            raise KeyboardInterrupt
        started.append(task.what)
        return start(task, processes)

    options = ["--data", str(small_glue), "--max-steps", str(STEPS), "--device", "cpu"]
    options += ["--only", *NAMES, "--work", str(work), "--out", str(out), "--jobs", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")  # which `main` sets, here until the end
        patch.setattr(scheduler, "_start", counted)
        code = main(["deviations", "--matrix", *options])
        assert not out.exists()
        first, started = started, []
        # As if one had been killed in its midst: what it left can't be taken for a run.
        next(work.glob("*/*/manual-again/run.json")).unlink()
        patch.setattr(scheduler, "_start", lambda t, p: started.append(t.what) or start(t, p))  # type: ignore[func-returns-value]
        assert main(["deviations", "--matrix", *options]) == 0
    changes = {"data": str(small_glue), "max_steps": STEPS, "device": "cpu"}
    recipe = load_recipe("embedded", changes)
    (folder,) = (work / key(recipe)).iterdir()
    return Made(first, started, code, out.read_text(), folder, recipe, work)


@pytest.mark.slow
def test_goes_on_where_it_was_stopped(made: Made) -> None:
    assert made.code == 130
    assert made.first[0] == FAITHFUL
    everything = {FAITHFUL, "manual-again", "trainer", "accelerated", *NAMES}
    assert {*made.first, *made.second} == everything
    # What was stopped in its midst is begun again, and nothing else.
    assert FAITHFUL not in made.second
    assert "manual-again" in {*made.first} & {*made.second} <= {"manual-again", "trainer"}


@pytest.mark.slow
def test_is_made_of_what_is_there_and_the_same_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_start", None)  # nothing is started
    names = sorted(NAMES, key=list(CATALOGUE).index)
    matrix = make_matrix(made.recipe, names, made.work, 1)
    assert page(results_of(matrix)) == made.page


@pytest.mark.slow
def test_the_losses_are_those_that_the_loop_would_log(made: Made) -> None:
    run = read(made.folder, FAITHFUL, RUN)
    ledger = read_ledger(made.folder / FAITHFUL / LEDGER_FILE)
    assert run["losses"] == [step["forward"][0]["loss"] for step in ledger.steps]
    assert len(run["losses"]) == STEPS
    for other in ("trainer", "accelerated", "manual-again"):
        assert read(made.folder, other, RUN)["losses"] == run["losses"], other


@pytest.mark.slow
def test_no_false_alarm_with_nothing_planted(made: Made) -> None:
    for loop in ("manual-again", "trainer", "accelerated"):
        assert f"| as it is | {loop} | identical | no | no | no | no | no | no |" in made.page


@pytest.mark.slow
def test_the_page_says_who_sees_what(made: Made) -> None:
    lines = made.page.splitlines()
    (no_clip,) = (line for line in lines if line.startswith("| no-clip |"))
    assert no_clip.startswith("| no-clip | 1 | as it is | 1 | clip | yes | yes |")
    (same,) = (line for line in lines if line.startswith("| last-batch-dropped |"))
    assert "| same |" in same
    (score,) = (line for line in lines if line.startswith("| f1-averaged macro |"))
    assert "| 5 | metrics | yes | yes | no | no | no | no | no | no | 2" in score
    assert "| this one | 2 | 2 | 0 of 3 |" in made.page
    assert "| accuracy | 0 | 2 | 0 of 3 |" in made.page
    summary = "3 deviations, 2 of them another run at their setting (1 not): 2 seen, 2 named and"
    assert summary in made.page
    assert f"--max-steps {STEPS} --only no-clip last-batch-dropped f1-averaged" in made.page
    assert made.page.count("<details>") == len(NAMES)
    assert CATALOGUE["no-clip"].summary in made.page
    assert "-            if recipe.max_grad_norm > 0:" in made.page


@pytest.mark.slow
def test_code_that_changes_meanwhile_is_noticed(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = iter([key(made.recipe), "another"])
    monkeypatch.setattr(results, "key", lambda _recipe: next(keys))
    with pytest.raises(InputError, match="the code was changed while it ran"):
        make_matrix(made.recipe, ["no-clip"], made.work, 1)


def test_a_changed_recipe_begins_anew() -> None:
    assert key(EMBEDDED) == key(load_recipe("embedded"))
    assert key(EMBEDDED) != key(load_recipe("embedded", {"seed": 1}))


@pytest.mark.slow
def test_a_result_depends_on_all_the_code_that_a_task_imports() -> None:
    program = (
        "import sys, reference.deviation_matrix.one_run\n"
        "from reference.lesson.loops import LOOPS, get_loop\n"
        "for loop in LOOPS: get_loop(loop)\n"
        "print(*(n for n in sys.modules if n.split('.')[0] == 'reference'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules = said.stdout.split()
    assert {"reference.lesson.loops.trainer", "reference.explain.search"} <= {*modules}
    for module in modules:
        path = "/".join(module.split(".")[1:]) or "__init__"
        if (ROOT / "reference" / path).is_dir():
            path = f"{path}/__init__"
        assert path in CODE or path.split("/")[0] in CODE, module


def test_settings_are_in_words() -> None:
    assert setting_of("no-clip") == "as it is"
    assert setting_of("adam-with-l2") == "weight_decay 0.01"
    assert setting_of("mean-of-means") == "gradient_accumulation_steps 4"


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_can_show_at_its_setting_on_the_embedded_corpus(name: str) -> None:
    assert CATALOGUE[name].applies_to(dataclasses.replace(EMBEDDED, **needs(name)), 3668)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-steps", "3"], "--max-steps: is for the matrix"),
        (["--only", "eps"], "--only: is for the matrix"),
        (["eps", "--seed", "3"], "--seed: is for the matrix"),
        (["--recipe", "course"], "--recipe: is for the matrix"),
        (["no-clap", "--matrix"], "did you mean no-clip?"),
        (["--matrix", "--only", "eps", "no-clap"], "did you mean no-clip?"),
        (["--matrix", "--jobs", "0"], "--jobs: 0 makes no sense"),
        (["--matrix", "--only", "no-clap"], "did you mean no-clip?"),
        (["--matrix", "--gradient-accumulation-steps", "2"], "leave it at 1"),
        (["--matrix", "--out", str(ROOT)], "is a folder; give the page's file with --out"),
        (["--matrix", "--out", str(ROOT / "README.md" / "x")], "can't be written"),
        (["--matrx"], "did you mean --matrix?"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deviations", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
