"""Wrong input on the command line: exit code 2, one line on stderr, and nothing left behind."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reference.cli import inspect
from reference.cli.main import main
from reference.errors import InputError, TrainingFailed
from tests.conftest import ROOT
from tests.helpers.refusal import says
from tests.helpers.waiting import LIMIT
from tests.lesson.data.files import splits, write_tsv

# Runs a command, and prints which of the slow libraries it loaded.
WHAT_IS_LOADED = """
import sys
from reference.cli.main import main
code = main(sys.argv[1:])
print(sorted({"torch", "transformers", "datasets", "numpy"} & set(sys.modules)))
sys.exit(code)
"""

Refuse = Callable[[Sequence[str]], str]


@pytest.fixture
def refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refuse:
    """Run a command in an empty folder; returns what stands after `reference: error: `."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(arguments: Sequence[str]) -> str:
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("reference: error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert list(here.iterdir()) == []
        return err.removeprefix("reference: error: ")

    return run


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("", ["required: COMMAND, one of compare, train,", "--help"]),
        ("--nix", ["unknown option '--nix'; see python -m reference --help"]),
        ("--nix=1", ["unknown option '--nix'"]),
        ("comapre", ["unknown command 'comapre' (did you mean compare?); known: compare, train"]),
        ("--debugg train manual", ["'--debugg'", "did you mean --debug?"]),
        ("--debug=1 env", ["--debug: takes no value"]),
        ("train", ["required: LOOP; see python -m reference train --help"]),
        ("train manuel", ["unknown loop 'manuel'", "did you mean manual?"]),
        ("train manual trainer", ["unexpected argument 'trainer'", "train --help"]),
        ("train manual -x", ["unknown option of train '-x'"]),
        ("train manual -- -x", ["unexpected argument '-x'"]),
        ("train manual --json", ["unknown option of train '--json'; see"]),
        ("compare --json", ["unknown option of compare '--json'; see"]),
        ("train manual --verbose", ["unknown option of train '--verbose'; see"]),
        ("train manual --l 1", ["unknown option of train '--l'; see"]),
        ("train manual --recipe cource", ["unknown recipe 'cource'", "did you mean course?"]),
        ("train manual --recipe nix.json", ["nix.json: no such file"]),
        ("train manual --task mprc", ["unknown task 'mprc'", "did you mean mrpc?"]),
        ("train manual --task stsb", ["'stsb' has no embedded corpus"]),
        ("train manual --sead 1", ["unknown option of train '--sead'", "did you mean --seed?"]),
        ("train manual --sead=1", ["'--sead'", "did you mean --seed?"]),
        ("train manual --see 1", ["'--see'", "did you mean --seed?"]),
        ("train manual --seed", ["--seed: needs a value"]),
        ("train manual --seed x", ["seed: 'x' is not a number"]),
        ("train manual --seed -1", ["seed: -1 makes no sense"]),
        ("train manual --train-batch-size 0", ["train_batch_size: 0 makes no sense", "1 or more"]),
        ("train manual --num-train-epochs -3", ["num_train_epochs: -3 makes no sense"]),
        ("train manual --learning-rate nan", ["learning_rate: nan makes no sense"]),
        ("train manual --learning-rate 1e999", ["learning_rate: inf makes no sense"]),
        ("train manual --lr x", ["learning_rate: 'x' is not a number"]),
        ("train manual --batch-size 0", ["train_batch_size: 0 makes no sense"]),
        ("train manual --epochs 0", ["num_train_epochs: 0 makes no sense"]),
        ("train manual --fp16", ["mixed_precision: fp16", "use bf16 or no"]),
        ("train manual --bf16=yes", ["--bf16: takes no value"]),
        ("train manual --bf16 --mixed-precision no", ["--bf16: contradicts"]),
        ("train manual --mixed-precision fp16", ["mixed_precision: fp16", "use bf16 or no"]),
        ("train manual --device cuba", ["device: 'cuba'", "did you mean cuda?"]),
        ("train manual --name x", ["unknown option of train '--name'"]),
        ("train manual --jobs 2", ["unknown option of train '--jobs'"]),
        ("train manual --data nix", ["nix: no such folder", "embedded, hub"]),
        ("train manual --checkpoint minilmm", ["'minilmm'", "did you mean minilm?"]),
        ("train manual --checkpoint ./nix", ["unknown checkpoint './nix'", "or a folder"]),
        ("compare --jobs 0", ["--jobs: 0 makes no sense"]),
        ("compare --jobs x", ["--jobs: 'x' is not a valid integer; see"]),
        ("compare --run-dirr x", ["'--run-dirr'", "did you mean --run-dir?"]),
        ("data --run-dir x", ["unknown option of data '--run-dir'"]),
        ("data --taks sst2", ["'--taks'", "did you mean --task?"]),
        ("env --seed 1", ["unknown option of env '--seed'; see python -m reference env --help"]),
        ("train manual --checkpoint=", ["an empty name: no file or folder has it"]),
        ("diff a", ["required: B"]),
        ("diff a b c", ["unexpected argument 'c'"]),
        ("diff a b --envelope c", ["--envelope: needs 2 values"]),
        ("deviations --jobs 3", ["--jobs: is for the matrix"]),
        ("deviations --recipe embedded", ["--recipe: is for the matrix"]),
        ("deviations --lr 1", ["--learning-rate: is for the matrix"]),
        ("observe", ["no script"]),
        ("observe --run-dirr x y.py", ["'--run-dirr'", "did you mean --run-dir?"]),
        ("observe --run-dir", ["--run-dir: needs a value"]),
        ("observe nix.py --nix", ["nix.py: no such script"]),
        ("--show-completion csh", ["--show-completion: 'csh' is not one of"]),
    ],
)
def test_wrong_words(command: str, parts: list[str], refuse: Refuse) -> None:
    says(refuse(command.split()), *parts)


@pytest.mark.parametrize("command", ["train manual", "compare"])
@pytest.mark.parametrize("taken", ["folder", "file"])
def test_a_run_dir_that_is_taken(command: str, taken: str, tmp_path: Path, refuse: Refuse) -> None:
    run_dir = tmp_path / "run"
    mine = run_dir
    if taken == "folder":
        run_dir.mkdir()
        mine = run_dir / "ledger.jsonl"
    mine.write_text("mine")
    line = refuse([*command.split(), "--run-dir", str(run_dir), "--device", "cpu"])
    says(line, str(run_dir), "new folder with --run-dir")
    says(line, "holds another run" if taken == "folder" else "is a file")
    assert mine.read_text() == "mine"
    assert taken == "file" or list(run_dir.iterdir()) == [mine]


@pytest.mark.parametrize("command", ["train manual", "train trainer", "data"])
def test_data_of_no_use_leaves_no_run(command: str, tmp_path: Path, refuse: Refuse) -> None:
    """What is found only after the slow imports is one line as well."""
    write_tsv(tmp_path / "data", "mrpc", splits("mrpc"))
    path = tmp_path / "data" / "train.tsv"
    path.write_text(path.read_text().replace("\t1\n", "\t7\n", 1))
    run_dir = ["--run-dir", str(tmp_path / "run")] if command != "data" else []
    line = refuse([*command.split(), "--data", str(tmp_path / "data"), *run_dir, "--device", "cpu"])
    says(line, f"{path}: row 3: field label: 7 is out of range")
    assert not (tmp_path / "run").exists()


def test_a_run_dir_that_cant_be_made(tmp_path: Path, refuse: Refuse) -> None:
    write_tsv(tmp_path / "data", "mrpc", splits("mrpc"))
    (tmp_path / "file").write_text("mine")
    options = ["--data", str(tmp_path / "data"), "--device", "cpu"]
    line = refuse(["train", "manual", *options, "--run-dir", str(tmp_path / "file" / "run")])
    says(line, "can't be made", "give another --run-dir")


DEBUGGED: dict[str, tuple[Exception, int, str]] = {
    "input": (InputError("row 3: mend it"), 2, "row 3: mend it"),
    "training": (TrainingFailed("step 2: the loss"), 3, "step 2: the loss"),
    "system": (OSError(28, "No space left", "runs"), 3, "runs: No space left"),
    "a fault of ours": (KeyError("x"), 3, "unexpected KeyError: 'x'; see where with --debug"),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("error", "code", "line"), DEBUGGED.values(), ids=DEBUGGED.keys())
def test_debug_adds_the_traceback_and_changes_no_exit_code(
    error: Exception,
    code: int,
    line: str,
    debug: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(inspect, "show_environment", fail)
    assert main(["env", *["--debug"] * debug]) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"reference: error: {line}"
    assert (lines[0] == "Traceback (most recent call last):") == debug
    assert len(lines) > 5 if debug else len(lines) == 1


@pytest.mark.parametrize(
    "command",
    [
        "train manual --data hub",
        "train manual --recipe course",
        "compare --data hub",
        "train manual --checkpoint bert-base-uncased",
        "data --data hub",
    ],
)
def test_a_hub_that_is_away(command: str, tmp_path: Path) -> None:
    """One line, soon: nothing slow is imported before the hub is asked."""
    closed = {"HF_ENDPOINT": "http://127.0.0.1:9", "no_proxy": "*", "PYTHONPATH": str(ROOT)}
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | closed
    result = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED, *command.split()],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == "[]\n"
    says(
        result.stderr,
        "reference: error: ",
        "the hub can't be reached",
        "--recipe embedded",
        "--data FOLDER",
        "--checkpoint minilm",
    )
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["train", "manual", "--task", "x"], ["predict", "docs", "x"]])
def test_nothing_slow_is_imported_before_the_input_is_checked(words: list[str]) -> None:
    command = [sys.executable, "-c", WHAT_IS_LOADED, *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("command", ["compare", "train"])
def test_help_offers_nothing_that_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "no|bf16" in out
    assert "fp16" not in out
