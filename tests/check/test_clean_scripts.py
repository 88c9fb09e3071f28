"""Nothing is found in the three loops, in the scripts of this project, or in clean ones of others.

`../shared/cases` (or REFERENCE_CASES) has reported faults as scripts; FAULT=0 switches them off.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from reference.check.examination import Examination, examine_run
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from tests.check.ledgers import names_in
from tests.conftest import ROOT
from tests.helpers.observing import SCRIPTS, observe
from tests.observe.script.test_command import glue_arguments
from tests.observe.script.test_run_twice import STEPS

CASES = Path(os.environ.get("REFERENCE_CASES", ROOT.parent / "shared" / "cases"))
NEEDS = {"23": "peft", "28": "sentence_transformers"}
# What a case's fault is told as, where one ledger shows it.
TOLD = {
    "08_set_epoch": "order-repeats",
    "09_frozen_bn": "batchnorm-in-frozen-part",
    "11_gan_leftover": "never-zeroed",
    "12_ref_train_mode": "second-model-in-train-mode",
    "21_epochs_schedule": "schedule-longer-than-run",
    "30_exhausted_generator": "clip-of-nothing",
}
BY_HAND = "by_hand"  # a script with faults on purpose
# Where the cases were written the lesson's modules stood elsewhere.
MOVED = re.compile(r"from reference\.(data|model|recipe)\b")


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_is_found_in_a_loop_of_the_lesson(loop: str, small: Recipe, tmp_path: Path) -> None:
    run(small, loop, tmp_path / loop)
    examination = examine_run(tmp_path / loop)
    assert (names_in(examination), examination.steps) == ([], 18)


@pytest.mark.slow
def test_what_goes_wrong_in_the_loop_by_hand_is_told(tmp_path: Path) -> None:
    result = observe(tmp_path / "run", SCRIPTS / f"{BY_HAND}.py")
    assert result.returncode == 0, result.stderr
    found = names_in(examine_run(tmp_path / "run"))
    assert found == ["eval-mode-while-training", "schedule-ends-early"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STEPS if name != BY_HAND])
def test_nothing_is_found_in_a_script(name: str, small_glue: Path, tmp_path: Path) -> None:
    arguments = glue_arguments(small_glue, tmp_path).get(name, [])
    arguments = ["eager"] if name == "compiled" else arguments
    result = observe(tmp_path / "run", SCRIPTS / f"{name}.py", *arguments)
    assert result.returncode == 0, result.stderr
    examination = examine_run(tmp_path / "run")
    assert (names_in(examination), examination.steps) == ([], STEPS[name])


def examined_case(name: str, fault: int, folder: Path) -> Examination:
    pytest.importorskip(NEEDS.get(name[:2], "torch"))
    text = MOVED.sub(r"from reference.lesson.\1", (CASES / f"{name}.py").read_text())
    script = folder / f"{name}.py"
    script.write_text(text)
    environment: dict[str, Any] = {"FAULT": str(fault)}
    os.environ.update(environment)
    result = observe(folder / "run", script)
    assert result.returncode == 0, result.stderr
    return examine_run(folder / "run")


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason=f"no scripts in {CASES}")
@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("[0-9]*.py")))
def test_a_case_is_clean_without_its_fault(name: str, tmp_path: Path) -> None:
    assert names_in(examined_case(name, 0, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason=f"no scripts in {CASES}")
@pytest.mark.parametrize("name", TOLD)
def test_a_case_is_told_with_its_fault(name: str, tmp_path: Path) -> None:
    assert names_in(examined_case(name, 1, tmp_path)) == [TOLD[name]]
