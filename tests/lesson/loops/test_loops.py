"""A loop is a file with a function and a name in `LOOPS`: none of them can be forgotten."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from reference.errors import InputError
from reference.lesson import loops
from reference.lesson.loops import LOOPS, get_loop


def test_each_file_is_a_loop_with_its_name_in_the_list() -> None:
    (folder,) = map(Path, loops.__path__)
    assert {file.stem for file in folder.glob("*.py")} - {"__init__"} == set(LOOPS)


def test_a_name_without_a_file_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LOOPS", (*LOOPS, "planted"))
    with pytest.raises(InputError, match=r"loop planted: is in LOOPS, and has no file planted\.py"):
        get_loop("planted")


def test_a_file_without_its_function_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{loops.__name__}.planted"
    module = ModuleType(name)
    module.__spec__ = loops.__spec__
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(loops, "LOOPS", (*LOOPS, "planted"))
    with pytest.raises(InputError, match="loop planted: its file has no function train"):
        get_loop("planted")
