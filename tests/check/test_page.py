"""docs/check.md has every finding, as the registry has it, and the numbers of its tests."""

from reference.check.findings_page import table
from reference.check.registry import FINDINGS
from tests.check.all_sound_runs import SOUND
from tests.check.bert_loop import FAULTS
from tests.check.test_sound_runs import TO_LOOK_AT
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")


def test_the_table_is_made_from_the_registry() -> None:
    assert table() in PAGE, "write what `python -m reference.check.findings_page` prints into it"
    assert table().count("\n") == len(FINDINGS) + 2


def test_the_numbers_are_those_of_the_tests() -> None:
    told = sum(finding is not None for finding in FAULTS.values())
    assert f"**{told} of {len(FAULTS)}** are told" in PAGE
    assert f"In {len(SOUND)} trainings of other kinds" in PAGE
    assert f"{len(TO_LOOK_AT)} have something to look at" in PAGE
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{len(FINDINGS)} findings, each" in changes
