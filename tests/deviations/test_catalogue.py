"""The catalogue of known deviations: whole, sourced, and each one an edit of today's loop."""

import re
from itertools import combinations

import pytest

from reference.deviations import (
    CATALOGUE,
    Chosen,
    Conflict,
    Deviation,
    manual_source,
    shown,
    source,
    train_with,
)
from reference.ledger.link_table import LINKS, METRICS
from reference.lesson.recipe import FIELDS
from tests.conftest import ROOT

ROWS = 49  # of the table of known deviations
PLACE = re.compile(
    r"(transformers|accelerate|pytorch)#\d+|arXiv \d{4}\.\d{5}|the lesson|run_glue\.py|none|"
    r"Accelerate's (own examples|nlp_example\.py)"
)
each = pytest.mark.parametrize("deviation", CATALOGUE.values(), ids=CATALOGUE.keys())


def test_every_known_deviation_is_there() -> None:
    assert {d.number for d in CATALOGUE.values()} == set(range(1, ROWS + 1))
    numbers = [d.number for d in CATALOGUE.values()]
    assert numbers == sorted(numbers)


@each
def test_an_entry_is_whole(deviation: Deviation) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", deviation.name)
    links = (deviation.link, *deviation.also)
    assert len(set(links)) == len(links)
    assert set(links) <= {*LINKS, METRICS}
    assert deviation.sentence.endswith(".")
    assert deviation.shows
    assert all(PLACE.fullmatch(place) for place in deviation.source.split(", "))
    assert {*deviation.shows_with, *(deviation.hidden_with or {})} <= FIELDS.keys()
    assert any("VALUE" in e.text for e in deviation.edits) == (deviation.value is not None)
    assert (deviation.values is not None) == (deviation.value is not None)


@each
def test_an_entry_is_an_edit_of_the_loop(deviation: Deviation) -> None:
    text = source([Chosen(deviation)])
    compile(text, deviation.name, "exec")
    assert text != manual_source()
    assert "VALUE" not in text
    # What is shown says which lines go and which come.
    lines = shown([Chosen(deviation)]).splitlines()
    assert lines[1].startswith(f"+++ manual.py with {deviation.name}")
    assert any(line.startswith(("-", "+")) for line in lines[2:])


def test_no_deviation_is_the_file_itself() -> None:
    assert source([]) == (ROOT / "reference" / "lesson" / "loops" / "manual.py").read_text()
    assert shown([]) == ""
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
            text = source([Chosen(a), Chosen(b)])
        except Conflict as conflict:
            conflicts.append((a.name, b.name, str(conflict)))
            continue
        compile(text, f"{a.name} and {b.name}", "exec")
        assert text == source([Chosen(b), Chosen(a)])  # in whatever order they were chosen
    assert count > 3000
    # All of them contradict each other, but for a clip's bound that moves with its line, and
    # two losses or two scores in one.
    assert 20 < len(conflicts) < count * 0.02
    assert all(a in said and b in said for a, b, said in conflicts)
    assert ("no-clip", "clip-norm") in [pair[:2] for pair in conflicts]


def test_the_same_one_twice_conflicts() -> None:
    eps = CATALOGUE["eps"]
    with pytest.raises(Conflict, match="eps and eps"):
        source([Chosen(eps, 1e-6), Chosen(eps, 1e-7)])


def test_a_choice_reads_as_in_a_verdict() -> None:
    said = [
        str(Chosen(CATALOGUE["no-clip"])),
        str(Chosen(CATALOGUE["eps"])),
        str(Chosen(CATALOGUE["learning-rate"], 2e-5)),
        str(Chosen(CATALOGUE["parameters-left-out"], ("bert.embeddings", "bert.pooler"))),
        str(Chosen(CATALOGUE["dropout"], 0.0)),
    ]
    assert said == [
        "no-clip",
        "eps 1e-06",
        "learning-rate 2e-05",
        "parameters-left-out bert.embeddings, bert.pooler",
        "dropout 0.0",
    ]
