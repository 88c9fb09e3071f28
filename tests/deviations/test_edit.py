"""Edits of a text: each where its anchor stands, none where two want the same piece."""

import pytest

from reference.deviations.source_edits import (
    Conflict,
    Edit,
    after,
    apply,
    before,
    delete,
    imports,
    literal,
    replace,
)

TEXT = """\
import torch
from reference.lesson.recipe import Recipe


def train():
    for step in range(3):
        if step:
            loss.backward()
        optimizer.step(
            loss
        )
"""


def edited(*edits: Edit, value: object = None) -> str:
    return apply(TEXT, [(f"owner{i}", edit, value) for i, edit in enumerate(edits)])


def test_nothing_is_the_text_itself() -> None:
    assert edited() == TEXT


def test_replaced_in_its_line() -> None:
    assert "        if step > 5:\n" in edited(replace("if step:", "if step > VALUE:"), value=5)


def test_whole_lines_are_deleted() -> None:
    assert edited(delete("optimizer.step(\n            loss\n        )")).endswith("backward()\n")


def test_lines_before_and_after_stand_as_deep_as_the_anchor() -> None:
    text = edited(before("loss.backward()", "a\nif a:\n    b"), after("loss.backward()", "c", -1))
    lines = [
        "            a",
        "            if a:",
        "                b",
        "            loss.backward()",
    ]
    assert "\n".join([*lines, "        c", "        optimizer.step("]) in text


def test_an_import_stands_once() -> None:
    line = "from reference.deviations import loop_parts"
    text = edited(imports(line), imports(line), imports("import copy"), imports("import copy"))
    assert text.count(line) == 1
    assert text.startswith(
        "import copy\nimport torch\nfrom reference.lesson.recipe import Recipe\nfrom "
    )


def test_a_line_that_goes_may_have_others_beside_it() -> None:
    text = edited(delete("loss.backward()"), before("loss.backward()", "a"))
    assert "        if step:\n            a\n        optimizer" in text


@pytest.mark.parametrize(
    "pair",
    [
        (delete("loss.backward()"), replace("backward", "forward")),
        (replace("loss.backward()", "a"), replace("backward", "b")),
        (delete("for step in range(3):"), delete("for step in range(3):")),
        (delete("optimizer.step(\n            loss"), after("optimizer.step(", "a")),
    ],
)
def test_two_that_want_the_same_piece_conflict(pair: tuple[Edit, Edit]) -> None:
    with pytest.raises(Conflict, match="owner0 and owner1"):
        edited(*pair)
    with pytest.raises(Conflict, match=r"owner0 and owner1|owner1 and owner0"):
        edited(*reversed(pair))


@pytest.mark.parametrize("anchor", ["not there", "loss"])
def test_an_anchor_that_is_not_there_once(anchor: str) -> None:
    with pytest.raises(Conflict, match="not once"):
        edited(replace(anchor, "a"))


@pytest.mark.parametrize("value", [1e-6, 3, "cosine", ("bert", "classifier"), True])
def test_plain_values_are_written_as_they_are(value: object) -> None:
    assert literal(value) == repr(value)


class Code:
    def __repr__(self) -> str:
        return "__import__('os').system('true')"


@pytest.mark.parametrize("value", [Code(), float("nan"), float("inf"), print])
def test_what_is_no_plain_value_is_never_written(value: object) -> None:
    with pytest.raises(ValueError, match="no plain value"):
        edited(replace("3", "VALUE"), value=value)
