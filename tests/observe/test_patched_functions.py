"""What is replaced in other libraries stands in one list, and that it is there is looked up."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reference.observe import patched_functions
from reference.observe.patched_functions import PATCHES, patched

ROOT = Path(__file__).parents[2]


def test_the_libraries_have_all_of_them() -> None:
    assert patched_functions.missing() == []


@pytest.mark.parametrize("place", range(len(PATCHES)))
@pytest.mark.parametrize("gone", ["module", "attribute"])
def test_one_that_is_gone_is_named(place: int, gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PATCHES[place].attribute
    renamed = f"{whole}_renamed" if gone == "attribute" else whole.replace(":", "_renamed:")
    patches = list(PATCHES)
    patches[place] = replace(PATCHES[place], attribute=renamed)
    monkeypatch.setattr(patched_functions, "PATCHES", tuple(patches))
    assert patched_functions.missing() == [renamed]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.attribute)
def test_each_is_replaced_where_the_list_says(patch: patched_functions.Patch) -> None:
    name = re.split("[.:]", patch.attribute)[-1]
    assert name in (ROOT / patch.file).read_text()


def test_a_function_is_given_back() -> None:
    owner = SimpleNamespace(double=lambda x: 2 * x)
    double = owner.double

    def fails() -> None:
        with patched(owner, "double", lambda original: lambda x: original(x) + 1):
            assert owner.double(3) == 7
            raise ValueError("the caller's")

    with pytest.raises(ValueError, match="the caller's"):
        fails()
    assert owner.double is double
