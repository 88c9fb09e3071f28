"""Damaged inputs, seeded: a few of each family always, and all of them by `tox -e torture`."""

from pathlib import Path

import pytest

from tests.torture.families import COUNTS, Family, report

# In the default suite, a few seconds in all. The first ones of each family.
SAMPLE = {"ledgers": 150, "recipes": 25, "data": 15, "checkpoints": 10}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_few_damaged_inputs(name: str, tmp_path: Path) -> None:
    _none_is_bad(name, SAMPLE[name], tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("name", COUNTS)
def test_damaged_inputs(name: str, tmp_path: Path) -> None:
    _none_is_bad(name, COUNTS[name], tmp_path)


def _none_is_bad(name: str, count: int, folder: Path) -> None:
    figures = Family(name, folder).run(range(count))
    print(report(name, figures))
    assert not figures.bad, "\n".join(figures.bad)
    assert figures.codes[2] >= count / 2, "most damage is no damage"
