"""No false alarm: each script in `tests/scripts` that trains, observed twice, is the same run."""

from pathlib import Path

import pytest

from reference.diff.ledgers import diff
from tests.helpers.observing import SCRIPTS, observe
from tests.observe.script.test_command import GLUE_LIKE, TOYS, glue_arguments

# Steps of those that aren't among the toys, and don't take files.
OTHERS = {"by_hand": 20, "compiled": 4, "forks": 7, "forty_steps": 40, "with_trainer": 20}
STEPS = {**TOYS, **GLUE_LIKE, **OTHERS}
# Those that by their nature train nothing to the end, or nothing at all.
NO_WHOLE_RUN = {"crash_at_step_3", "never_trains", "surroundings", "digest"}

# Those of several processes: `test_replicas.py` and `test_shards.py` run these.
SEVERAL = {"sharded", "three_ranks", "ways_in_parallel"}


def test_every_script_is_run_twice() -> None:
    assert STEPS.keys() | NO_WHOLE_RUN | SEVERAL == {path.stem for path in SCRIPTS.glob("*.py")}
    assert len(STEPS) == 22


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_script_that_is_run_twice_is_the_same_run(
    name: str, small_glue: Path, tmp_path: Path
) -> None:
    arguments = glue_arguments(small_glue, tmp_path).get(name, [])
    if name == "compiled":
        arguments = ["eager"]
    runs = tmp_path / "a", tmp_path / "b"
    for run in runs:
        result = observe(run, SCRIPTS / f"{name}.py", *arguments)
        assert result.returncode == 0, result.stderr
    verdict = diff(*runs)
    assert (verdict.verdict, verdict.steps) == ("identical", STEPS[name]), verdict.detail
    assert verdict.every_link
