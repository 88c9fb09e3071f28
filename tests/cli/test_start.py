"""What needs no torch loads none, and is answered in a tenth of the time of its import."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.lesson.data.files import splits, write_tsv

# Runs a command, and prints which of the slow libraries it loaded.
LOADED = """
import sys
from reference.cli.main import main
code = main(sys.argv[1:])
slow = {"torch", "transformers", "datasets", "accelerate", "evaluate", "numpy"}
print("loaded:", sorted(slow & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def call(*words: str) -> tuple[int, str, str]:
    """(exit code, what it said, what it loaded)."""
    result = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, loaded = (result.stdout + result.stderr).rpartition("loaded: ")
    return result.returncode, said, loaded.strip()


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ("--help", 0, "Usage:"),
        ("compare --help", 0, "--data-order"),
        ("--version", 0, "finetuning-reference"),
        ("comapre", 2, "did you mean compare?"),
        ("train manual --task x", 2, "unknown task"),
        ("train manual --sead 1", 2, "did you mean --seed?"),
        ("deviations", 0, "no-clip"),
        ("deviations no-clip", 0, "-            if recipe.max_grad_norm > 0:"),
        ("deviations nocilp", 2, "did you mean no-clip?"),
        ("diff a b", 2, "a: no such ledger"),
        ("explain README.md", 2, "README.md: row 1: not JSON"),
        ("explain tests/scripts/gan.py", 2, "row 1: not JSON"),
        ("explain nix", 2, "nix: no such ledger"),
        ("seeds nix", 2, "nix: no folder of seeds"),
        ("seeds --n 2 --data nix", 2, "nix: no such folder"),
        ("train manual --data nix", 2, "nix: no such folder"),
        ("train manual --checkpoint ./nix", 2, "./nix"),
    ],
)
def test_it_is_answered_without_torch(words: str, code: int, part: str) -> None:
    ended, said, loaded = call(*words.split())
    assert ended == code
    assert part in said
    assert loaded == "[]"


def test_data_of_no_use_is_refused_without_torch(tmp_path: Path) -> None:
    options = ["--data", str(tmp_path), "--device", "cpu"]
    for command in (["train", "manual"], ["compare"], ["data"]):
        ended, said, loaded = call(*command, *options)
        assert (ended, loaded) == (2, "[]")
        assert "no mrpc in it" in said
    write_tsv(tmp_path, "mrpc", splits("mrpc"))
    path = tmp_path / "train.tsv"
    path.write_text(path.read_text().replace("\t1\n", "\t7\n", 1))
    ended, said, loaded = call("train", "manual", *options)
    assert (ended, loaded) == (2, "[]")
    assert "train.tsv: row 3: field label: 7 is out of range" in said


def test_a_checkpoint_of_no_use_is_refused_without_torch(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    ended, said, loaded = call("train", "manual", "--checkpoint", str(tmp_path))
    assert (ended, loaded) == (2, "[]")
    assert "config.json: field model_type: 'gpt2'" in said


def test_two_ledgers_are_compared_without_torch(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"kind":"header","schema":2}\n')
    ended, said, loaded = call("diff", str(ledger), str(ledger))
    assert (ended, said.partition(":")[0], loaded) == (2, "incomparable", "[]")


def test_what_needs_torch_is_seen_to_load_it() -> None:
    """The check itself: a command that trains, or looks at the machine, does."""
    _, said, loaded = call("env")
    assert "torch" in said
    assert "torch" in loaded
