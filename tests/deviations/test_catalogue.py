"""The catalogue of known deviations: whole, sourced, and each one an edit of today's loop."""

import contextlib
import dataclasses
import re
import subprocess
import sys
from itertools import combinations
from typing import Any

import pytest

from reference.deviations import (
    CATALOGUE,
    EVERY,
    Chosen,
    Conflict,
    Deviation,
    edited_source,
    loop_diff,
    loop_source,
    train_with,
)
from reference.deviations.catalogue import by_name
from reference.deviations.citations import ACCELERATE_EXAMPLE, COURSE, NO_REPORT, RUN_GLUE
from reference.deviations.deviation import Trial
from reference.deviations.edited_loop import lacks_a_name
from reference.deviations.source_edits import delete, replace
from tests.conftest import ROOT

SOURCE = re.compile(r"(transformers|accelerate|pytorch|[\w-]+/[\w.-]+)#\d+|arXiv \d{4}\.\d{5}")
NAMED_SOURCES = {COURSE, RUN_GLUE, ACCELERATE_EXAMPLE, NO_REPORT}
each = pytest.mark.parametrize("deviation", EVERY.values(), ids=EVERY.keys())


def entry(**changes: Any) -> Deviation:
    """A whole entry but for these fields; a field that is None is left out."""
    fields = {
        "name": "no-clip-at-all",
        "row": 1,
        "link": "clip",
        "summary": "Gradients aren't clipped.",
        "shows_when": "always",
        "citation": "transformers#23935",
        "edits": (delete("a line"),),
    }
    kept = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return Deviation(**kept)


def tries_nothing(_clue: object) -> tuple[()]:
    return ()


@pytest.mark.parametrize(
    "missing", ["name", "row", "link", "summary", "shows_when", "citation", "edits"]
)
def test_an_entry_that_lacks_a_part_is_an_error(missing: str) -> None:
    entry()
    with pytest.raises(TypeError, match=missing):
        entry(**{missing: None})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "No_clip"}, "name: "),
        ({"link": "clips"}, "link, also_in: a link is one of"),
        ({"also_in": ("gradients",)}, "link, also_in: a link is one of"),
        ({"also_in": ("clip",)}, "is named twice"),
        ({"summary": "no clip"}, "summary: "),
        ({"shows_when": ""}, "NO_REPORT says that none is known"),
        ({"citation": ""}, "NO_REPORT says that none is known"),
        ({"edits": ()}, "edits: "),
        ({"loop": "trainer"}, "loop: give manual, or accelerated"),
        ({"edits": (replace("a", "VALUE"),)}, "just where there is a value"),
        ({"default_value": 0.5, "values_to_try": tries_nothing}, "just where there is a value"),
        ({"edits": (replace("a", "VALUE"),), "default_value": 0.5}, "give both, or neither"),
        ({"values_to_try": tries_nothing}, "give both, or neither"),
        ({"in_tests": Trial(value=3)}, "the deviation takes none"),
        ({"hidden_in_recipe": {"max_grad_nrom": 0.0}}, "max_grad_nrom is no field of a recipe"),
        ({"shows_in_recipe": {"max_grad_nrom": 0.0}}, "max_grad_nrom is no field of a recipe"),
        ({"replaces_fields": {"max_grad_nrom": 0.0}}, "max_grad_nrom is no field of a recipe"),
        ({"in_matrix": Trial(recipe={"clip": 0.0})}, "clip is no field of a recipe"),
    ],
)
def test_an_entry_that_contradicts_itself_is_an_error(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        entry(**changes)


@pytest.mark.parametrize(
    ("added", "error"),
    [
        (entry(name="eps"), "deviation 'eps': stands twice"),
        (entry(row=len(CATALOGUE) + 9), "the catalogue has no row"),
        (entry(same_run_as="no-clap"), "same_run_as: no 'no-clap'"),
    ],
)
def test_an_entry_that_contradicts_the_catalogue_is_an_error(added: Deviation, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        by_name([*EVERY.values(), added])


def test_a_new_entry_stands_at_the_end_of_its_row() -> None:
    names = list(by_name([*CATALOGUE.values(), entry(row=CATALOGUE["clip-norm"].row)]))
    assert names.index("no-clip-at-all") == names.index("clip-norm") + 1


@each
def test_an_entry_names_its_source(deviation: Deviation) -> None:
    sources = deviation.citation.split("; ")
    assert all(source in NAMED_SOURCES or SOURCE.fullmatch(source) for source in sources)
    assert ("Seen in: " in deviation.description) == (deviation.citation != NO_REPORT)
    assert not re.search(r"the lesson\b", deviation.description)


def test_the_course_is_named_with_its_address() -> None:
    assert "https://huggingface.co/learn/llm-course/chapter3/4" in CATALOGUE["eps"].description


@each
def test_an_entry_is_an_edit_of_the_loop(deviation: Deviation) -> None:
    text = edited_source([Chosen(deviation)], deviation.loop)
    compile(text, deviation.name, "exec")
    assert text != loop_source(deviation.loop)
    assert "VALUE" not in text
    # What is shown says which lines go and which come.
    lines = loop_diff([Chosen(deviation)]).splitlines()
    assert lines[1].startswith(f"+++ {deviation.loop}.py with {deviation.name}")
    assert any(line.startswith(("-", "+")) for line in lines[2:])


@each
def test_an_entry_has_all_that_it_names(deviation: Deviation) -> None:
    assert not lacks_a_name(edited_source([Chosen(deviation)], deviation.loop))


def test_an_edit_of_the_manual_loop_may_lack_a_name_in_the_other() -> None:
    text = edited_source([Chosen(CATALOGUE["class-weights"])], "accelerated")
    assert lacks_a_name(text)  # the manual loop has its device there
    assert not lacks_a_name(edited_source([Chosen(CATALOGUE["learning-rate"])], "accelerated"))


def test_most_of_them_have_their_place_in_the_accelerate_loop() -> None:
    """What Accelerate says otherwise is found under its words there."""
    places = 0
    for deviation in CATALOGUE.values():
        with contextlib.suppress(Conflict):
            text = edited_source([Chosen(deviation)], "accelerated")
            compile(text, deviation.name, "exec")
            places += text != loop_source("accelerated") and not lacks_a_name(text)
    assert places > len(CATALOGUE) / 2
    without = edited_source([Chosen(CATALOGUE["no-clip"])], "accelerated")
    assert "clip_grad_norm_" not in without


def test_an_edit_that_has_no_place_in_the_loop_is_an_error() -> None:
    lost = dataclasses.replace(CATALOGUE["no-clip"], edits=(delete("clip_gradients("),))
    with pytest.raises(Conflict, match="0 times in the text"):
        edited_source([Chosen(lost)])


def test_no_deviation_is_the_file_itself() -> None:
    assert edited_source([]) == (ROOT / "reference" / "lesson" / "loops" / "manual.py").read_text()
    assert loop_diff([]) == ""
    assert callable(train_with([]))


def test_the_loops_show_no_trace() -> None:
    for path in (ROOT / "reference" / "lesson" / "loops").glob("*.py"):
        assert "deviation" not in path.read_text().lower(), path


def test_any_two_compose_or_say_that_they_conflict() -> None:
    conflicts = []
    count = 0
    for a, b in combinations(CATALOGUE.values(), 2):
        count += 1
        try:
            text = edited_source([Chosen(a), Chosen(b)])
        except Conflict as conflict:
            conflicts.append((a.name, b.name, str(conflict)))
            continue
        compile(text, f"{a.name} and {b.name}", "exec")
        assert text == edited_source([Chosen(b), Chosen(a)])  # in whatever order they were chosen
    assert count > 3000
    # All of them contradict each other, but for a clip's bound that moves with its line, and
    # two losses or two scores in one.
    assert 20 < len(conflicts) < count * 0.02
    assert all(a in said and b in said for a, b, said in conflicts)
    assert ("no-clip", "clip-norm") in [pair[:2] for pair in conflicts]


def test_the_same_one_twice_conflicts() -> None:
    eps = CATALOGUE["eps"]
    with pytest.raises(Conflict, match="eps and eps"):
        edited_source([Chosen(eps, 1e-6), Chosen(eps, 1e-7)])


def test_a_choice_reads_as_in_a_verdict() -> None:
    texts = [
        str(Chosen(CATALOGUE["no-clip"])),
        str(Chosen(CATALOGUE["eps"])),
        str(Chosen(CATALOGUE["learning-rate"], 2e-5)),
        str(Chosen(CATALOGUE["parameters-left-out"], ("bert.embeddings", "bert.pooler"))),
        str(Chosen(CATALOGUE["dropout"], 0.0)),
    ]
    assert texts == [
        "no-clip",
        "eps 1e-06",
        "learning-rate 2e-05",
        "parameters-left-out bert.embeddings, bert.pooler",
        "dropout 0.0",
    ]


@pytest.mark.parametrize(("module", "loads_torch"), [("listing", False), ("loop_parts", True)])
def test_what_is_listed_loads_no_torch(module: str, loads_torch: bool) -> None:
    """What edited loops import does: so the check sees it where it is there."""
    program = (
        f"import sys, reference.deviations.{module}\n"
        "slow = {'torch', 'transformers', 'datasets', 'accelerate', 'numpy'}\n"
        "print(*(slow & sys.modules.keys()))"
    )
    imported = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ("torch" in imported.stdout.split()) == loads_torch
    assert loads_torch or not imported.stdout.strip()
