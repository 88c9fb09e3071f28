"""The options of checkpoints: what goes together, and which folder is meant."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reference.cli.checkpoint_options import checkpoint_options, resumed_folder, saving_of
from reference.errors import InputError
from reference.run.saving import NEWEST, Saving, check_saving


def parsed(*words: str) -> tuple[object, ...]:
    said: list[tuple[object, ...]] = []
    command = click.Command(
        "train",
        params=[*checkpoint_options(), click.Argument(["loop"], required=False)],
        callback=lambda checkpoint_every, keep, resume, loop: said.append(
            (checkpoint_every, keep, resume, loop)
        ),
    )
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return said[0]


def test_resume_with_and_without_a_checkpoint() -> None:
    assert parsed("manual") == (None, None, None, "manual")
    assert parsed("manual", "--resume") == (None, None, NEWEST, "manual")
    assert parsed("manual", "--resume", "--keep", "2") == (None, 2, NEWEST, "manual")
    assert parsed("manual", "--resume", "a/b", "--checkpoint-every", "5") == (
        *(5, None, "a/b", "manual"),
    )


def test_what_goes_together() -> None:
    assert saving_of(None, None, None) is None
    assert saving_of(5, 2, None) == Saving(5, 2, None)
    assert saving_of(None, 2, NEWEST) == Saving(None, 2, NEWEST)
    with pytest.raises(InputError, match="--keep: of no checkpoints"):
        saving_of(None, 2, None)


def test_the_folder_of_the_run(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "step-00000003"
    with pytest.raises(InputError, match="--resume: of which run"):
        resumed_folder(None, NEWEST)
    with pytest.raises(InputError, match="holds no run to resume"):
        resumed_folder(None, str(checkpoint))
    (tmp_path / "recipe.json").touch()
    assert resumed_folder(None, str(checkpoint)) == tmp_path
    assert resumed_folder(tmp_path, NEWEST) == tmp_path


def test_where_there_are_none_yet() -> None:
    check_saving(None, "trainer", 2)
    check_saving(Saving(5), "manual", 1)
    with pytest.raises(InputError, match="2 were launched"):
        check_saving(Saving(5), "accelerated", 2)
    with pytest.raises(InputError, match="not for the trainer so far"):
        check_saving(Saving(5), "trainer", 1)
