"""One changed value in a ledger names exactly the link that holds it."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reference.diff.ledgers import diff
from reference.diff.value_text import both
from reference.diff.verdict_text import lines
from reference.errors import InputError
from reference.ledger.link_table import LINKS
from reference.ledger.reader import Item, Ledger, read_ledger
from reference.ledger.record import SCHEMA, Record, encode
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from tests.helpers.refusal import refusal, says

Change = Callable[[Record], None]
OTHER = "0" * 16


def change(path: str, value: Any) -> Change:
    """Sets what stands at a dotted path of a record."""

    def apply(record: Record) -> None:
        *outer, last = path.split(".")
        inner: Any = record
        for key in outer:
            inner = inner[int(key) if key.isdigit() else key]
        inner[int(last) if last.isdigit() else last] = value

    return apply


def first_tensor(link: str) -> Change:
    def apply(record: Record) -> None:
        tensors = record[link].get("tensors", record["update"]["tensors"]).split()
        record[link] = {**record[link], "hash": OTHER, "tensors": " ".join([OTHER, *tensors[1:]])}

    return apply


STEP = 4
CHANGED: dict[str, tuple[str, Change, str]] = {
    "batch": ("batch", change("batch.0.input_ids.0", OTHER), "input_ids"),
    "batch's shape": ("batch", change("batch.0.labels.1", [7]), "labels: (8,) int64 and (7,)"),
    "weights": ("weights", first_tensor("weights"), "1 of 41 tensors, first bert.embeddings"),
    "loss": ("forward", change("forward.0.loss", 0.5), "loss: "),
    "logits": ("forward", change("forward.0.logits.0", OTHER), "logits: "),
    "gradient": ("gradient", first_tensor("gradient"), "first bert.embeddings.word_embeddings"),
    "clip": ("clip", first_tensor("clip"), "1 of 41 tensors"),
    "eps": ("optimizer", change("optimizer.hyper.0.eps", 1e-6), "eps: 1e-08 and 1e-06 (100 times)"),
    "in no group": (
        "optimizer",
        change("optimizer.of", " ".join(["x"] + ["0"] * 40)),
        "bert.embeddings.word_embeddings.weight in no group (1 of 41 parameters): False and True",
    ),
    "update": ("update", first_tensor("update"), "1 of 41 tensors"),
}
# Without effect on what follows they are the same run; with one, they are its cause.
CAUSES: dict[str, Change] = {
    "rng": change("rng.torch.0", OTHER),
    "mode": change("mode.training", False),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, small_glue: Path) -> Ledger:
    folder = tmp_path_factory.mktemp("kept") / "run"
    recipe = Recipe(data=str(small_glue), device="cpu", max_steps=6, num_warmup_steps=2)
    run(recipe, "manual", folder)
    return read_ledger(folder / "ledger.jsonl")


def edited(ledger: Ledger, *changes: Change, kind: str = "step", at: int = STEP) -> Ledger:
    """A copy with some values of one record changed."""
    items = list(ledger.items)
    places = [i for i, item in enumerate(items) if item.kind == kind]
    place = places[at - 1]
    record = copy.deepcopy(items[place].record)
    for one in changes:
        one(record)
    items[place] = Item(encode(record), "edited")
    return Ledger(ledger.header, items)


@pytest.mark.parametrize("name", CHANGED)
def test_one_changed_value_names_its_link(kept: Ledger, name: str) -> None:
    link, one, said = CHANGED[name]
    verdict = diff(kept, edited(kept, one))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", STEP, link), verdict
    assert verdict.steps == STEP - 1
    assert said in verdict.detail


def test_every_link_has_its_change() -> None:
    named = {link for link, _, _ in CHANGED.values()} | set(CAUSES) | {"schedule"}
    assert named == set(LINKS)


@pytest.mark.parametrize("link", CAUSES)
def test_a_soft_link_is_the_cause_where_something_follows(kept: Ledger, link: str) -> None:
    assert diff(kept, edited(kept, CAUSES[link])).verdict == "identical"
    both = diff(kept, edited(kept, CAUSES[link], change("forward.0.loss", 0.5)))
    assert (both.step, both.link, both.suspects) == (STEP, link, (link, "forward"))
    assert "also unequal: forward loss" in both.detail


def test_an_idle_generator_is_no_cause(kept: Ledger) -> None:
    other = edited(kept, change("rng.python.0", OTHER), change("forward.0.loss", 0.5))
    assert diff(kept, other).link == "forward"


def test_a_rate_is_the_schedule_s_work_at_the_step_before(kept: Ledger) -> None:
    rate = change("schedule.learning_rate", [1e-9])
    before = edited(kept, change("schedule.next_learning_rate", [1e-9]), at=STEP - 1)
    verdict = diff(kept, edited(before, rate))
    assert (verdict.step, verdict.link) == (STEP - 1, "schedule")
    assert "next_learning_rate" in verdict.detail
    within = diff(kept, edited(kept, rate))  # it moved after the step began
    assert (within.step, within.link) == (STEP, "schedule")
    first = diff(kept, edited(kept, change("schedule.learning_rate", [1e-9]), at=1))
    assert (first.step, first.link) == (1, "schedule")
    base = change("optimizer.base_learning_rate", [1e-9])
    other = diff(kept, edited(kept, change("schedule.learning_rate", [1e-9]), base, at=1))
    assert (other.step, other.link) == (1, "optimizer")
    last = edited(kept, change("schedule.next_learning_rate", [1.0]), at=6)
    assert diff(kept, last).verdict == "identical"  # no step uses it


def test_an_input_that_is_a_constant_may_be_left_out(kept: Ledger) -> None:
    def without_types(record: Record) -> None:
        record["batch"][0]["token_type_ids"][3] = 0.0
        del record["batch"][0]["token_type_ids"]

    assert diff(kept, edited(kept, without_types)).verdict == "identical"
    both = diff(kept, edited(kept, without_types, change("forward.0.loss", 0.5)))
    assert both.link == "batch"  # it was no constant: that may be why


@pytest.mark.parametrize("field", ["predictions", "count", "scores.accuracy", "outputs.logits.0"])
def test_an_evaluation_is_compared(kept: Ledger, field: str) -> None:
    value: Any = 1 if field == "count" else 0.123 if "scores" in field else OTHER
    other = edited(kept, change(f"metrics.{field}", value), kind="evaluation", at=1)
    verdict = diff(kept, other)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 6, "metrics")
    assert field.removeprefix("outputs.").removesuffix(".0").split(".")[-1] in verdict.detail


def test_the_end_is_compared(kept: Ledger) -> None:
    other = edited(kept, change("weights", OTHER), kind="end", at=1)
    assert diff(kept, other).detail == "the weights changed after the last step"


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_is_missing_is_named_and_never_identical(kept: Ledger, link: str) -> None:
    verdict = diff(kept, edited(kept, lambda record: record.pop(link)))
    assert (verdict.verdict, verdict.steps) == ("incomparable", 6)
    assert verdict.notes == (f"not compared: {link}, which B lacks",)


@pytest.mark.parametrize("link", [*LINKS, "step"])
@pytest.mark.parametrize("value", [3, "x", [3], {"a": []}])
def test_an_edited_ledger_is_one_line(kept: Ledger, link: str, value: Any) -> None:
    """Whatever stands there: a verdict or InputError, and no other error."""
    other = edited(kept, change(link, value))
    with suppress(InputError):
        assert diff(kept, other).verdict != "identical"


ODD: list[Any] = [None, 3, -1, 1e308, 10**400, "nan", "x", [], {}, [None], {"a": 1}, True, [[1]]]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a record, of a list the first ones."""
    inner: Any = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = dict(enumerate(value[:2]))
    for key, one in inner.items():
        yield (*path, key)
        yield from places(one, (*path, key))


@pytest.mark.parametrize("kind", ["model", "step", "evaluation", "end"])
def test_whatever_stands_anywhere_is_a_verdict_or_one_line(kept: Ledger, kind: str) -> None:
    """Some 150 edits of each kind of record, each read as a stranger's ledger."""
    random = Random(kind)
    record = next(item.record for item in kept.items if item.kind == kind)
    everywhere = [path for path in places(record) if path != ("kind",)]
    for _ in range(150):
        path, value = random.choice(everywhere), random.choice(ODD)

        def put(record: Record, path: Any = path, value: Any = value) -> None:
            *outer, last = path
            inner: Any = record
            for key in outer:
                inner = inner[key]
            inner[last] = value

        other = edited(kept, put, kind=kind, at=1)
        with suppress(InputError):
            assert "\n" not in lines("a and b", diff(kept, other))[0]


def test_a_newer_schema_is_compared_in_what_is_known(kept: Ledger) -> None:
    header = {**kept.header, "schema": SCHEMA + 1}
    verdict = diff(kept, Ledger(header, kept.items))
    assert (verdict.verdict, verdict.steps) == ("incomparable", 6)
    assert verdict.detail == f"equal for 6 steps in every link that schema {SCHEMA} knows"
    assert verdict.notes == (f"not the same: schema ({SCHEMA} and {SCHEMA + 1})",)
    assert not verdict.every_link

    def other(record: Record) -> None:
        record["buffers"], record["clip"] = {"hash": OTHER}, "as it will be"

    newer = Ledger(header, [*edited(kept, other).items, Item(b'{"kind":"grace"}\n', "last")])
    verdict = diff(kept, newer)
    assert verdict.verdict == "incomparable"
    assert "not compared: clip, which B lacks" in verdict.notes
    told = f"schema {SCHEMA} does"
    assert any("buffers, clip" in note and told in note for note in verdict.notes)
    # What is told apart by bits may only be written in another way.
    unequal = diff(kept, Ledger(header, edited(kept, first_tensor("update")).items))
    assert (unequal.verdict, unequal.step, unequal.link) == ("incomparable", STEP, "update")
    assert f"newer schema than {SCHEMA}" in unequal.detail
    said = lines("a and b", unequal)
    assert "equal before it: 3 steps, in every link that was compared" in said
    told = diff(kept, Ledger(header, edited(kept, change("optimizer.hyper.0.eps", 1e-6)).items))
    assert told.verdict == "diverged"


def test_another_model_is_incomparable_and_says_what_is_equal(kept: Ledger) -> None:
    def smaller(record: Record) -> None:
        record["parameters"][0][1] = [5, 5]

    verdict = diff(kept, edited(kept, smaller, kind="model", at=1))
    assert verdict.verdict == "incomparable"
    assert "bert.embeddings.word_embeddings.weight" in verdict.detail
    assert "batches and generators are equal for 6 steps" in verdict.detail
    assert verdict.notes[0].startswith("not compared: weights, forward, gradient, clip, optimizer")
    diverged = diff(
        kept, edited(edited(kept, smaller, kind="model", at=1), change("batch.0.labels.0", OTHER))
    )
    said = lines("a and b", diverged)
    assert "equal before it: 3 steps, in every link that was compared" in said


def test_how_the_two_go_on(kept: Ledger) -> None:
    other = edited(kept, change("forward.0.loss", 0.5), at=2)
    points = diff(kept, other).curve
    assert [p.step for p in points] == [2, 3, 4, 6]
    assert points[0].losses[1] == 0.5
    assert points[1].losses[0] == points[1].losses[1]


DAMAGED: dict[str, tuple[str, int, Change, str]] = {
    "a link that is null": ("step", 2, change("clip", None), "field clip: missing"),
    "a step's number": ("step", 3, change("step", 5), "field step: 5 where 3 is next"),
    "a step's type": ("step", 1, change("step", "1"), "field step: '1' where 1 is next"),
    "an evaluation's step": ("evaluation", 1, change("step", [1]), "field step: missing, or not"),
    "an evaluation to come": ("evaluation", 1, change("step", 9), "field step: 9 after 6 steps"),
    "steps of the run": ("end", 1, change("steps", 5), "field steps: 5 after 6 steps"),
    "a kind": ("end", 1, change("kind", "ending"), "field kind: 'ending' is none of step,"),
    "a name": ("model", 1, change("parameters.0.0", 7), "field parameters.0: missing, or not"),
    "a loss": ("step", 2, change("forward.0.loss", {}), "field forward.0.loss: missing, or not"),
    "a number": ("step", 2, change("gradient.norm", 10**400), "field gradient.norm: missing"),
    "a group": ("step", 2, change("optimizer.of", "0 7"), "field optimizer.of: missing, or not"),
    # Recorded, and no row of the table: nobody would compare it, and all would be `identical`.
    "a link of no row": ("step", 2, change("zeroing", {}), "field zeroing: no link of schema"),
    "a score": ("evaluation", 1, change("metrics.scores.f1", "x"), "field metrics.scores.f1:"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line_that_names_file_row_and_field(
    kept: Ledger, name: str, tmp_path: Path
) -> None:
    """Also where both files are damaged in the same way, and so are the same bytes."""
    kind, at, one, said = DAMAGED[name]
    damaged = edited(kept, one, kind=kind, at=at)
    row = next(i for i, item in enumerate(damaged.items) if item.where == "edited") + 2
    whole, broken = write(tmp_path / "whole", kept), write(tmp_path / "broken", damaged)
    for pair in ((whole, broken), (broken, whole), (broken, broken)):
        line = refusal(lambda pair=pair: diff(*pair))
        says(line, f"{broken}: row {row}: {said}", "record the run again")
        assert str(whole) not in line


def write(path: Path, ledger: Ledger) -> Path:
    path.write_bytes(encode(ledger.header) + b"".join(item.line for item in ledger.items))
    return path


def test_a_row_too_much_or_too_few_is_damage(kept: Ledger, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", kept)
    steps = [i for i, item in enumerate(kept.items) if item.kind == "step"]
    twice = [*kept.items, kept.items[-1]]
    fewer = [item for i, item in enumerate(kept.items) if i != steps[2]]
    swapped = list(kept.items)
    swapped[steps[2]], swapped[steps[3]] = swapped[steps[3]], swapped[steps[2]]
    header = [*kept.items[:3], Item(encode(kept.header), "again"), *kept.items[3:]]
    kinds = [*kept.items[:-1], Item(b'{"kind":"end",' + kept.items[-1].line[1:], "twice")]
    for items, said in (
        (twice, "field kind: 'end' after the end"),
        (fewer, "field step: 4 where 3 is next"),
        (swapped, "field step: 4 where 3 is next"),
        (header, "field kind: 'header' after the first row"),
        (kinds, "field kind: given twice"),
    ):
        broken = write(tmp_path / "broken", Ledger(kept.header, items))
        for pair in ((whole, broken), (broken, broken)):
            says(refusal(lambda pair=pair: diff(*pair)), f"{broken}: row ", said)


def test_values_that_read_alike_are_told_apart(kept: Ledger) -> None:
    rate = kept.steps[4]["schedule"]["learning_rate"][0]
    other = math.nextafter(rate, 1)
    verdict = diff(kept, edited(kept, change("schedule.learning_rate", [other]), at=5))
    assert f"{rate!r} and {other!r}" in verdict.detail
    long = both("x" * 200 + "1" + "y" * 200, "x" * 200 + "2" + "y" * 200)
    assert "x1y" in long
    assert "x2y" in long
    assert len(long) < 220
    assert both(1, True) == "1 and True"
    assert both(1, "1") == "1 (int) and 1 (str)"


def test_a_ledger_s_words_steer_no_terminal(kept: Ledger) -> None:
    hostile = "\x1b[2J\nidentical: all\u202e\ud800"
    changes = [
        edited(kept, change("parameters.0.0", hostile), kind="model", at=1),
        edited(kept, change("mode.autocast", hostile), change("forward.0.loss", 0.5)),
        edited(kept, lambda record: record["batch"][0].update({hostile: [OTHER, [1], "x", None]})),
        Ledger({**kept.header, "device": hostile, "versions": {hostile: hostile}}, kept.items),
    ]
    for other in changes:
        verdict = diff(kept, edited(other, first_tensor("update")))
        text = "".join(line for line in lines("a and b", verdict) if not line.startswith("step "))
        assert "\\x1b[2J\\nidentical: all\\u202e\\ud800" in text
        assert text.isprintable()


def test_a_record_that_contradicts_itself_is_said_to_be_edited(kept: Ledger) -> None:
    """At the divergence, where its values are read: a hash that isn't that of its tensors."""
    said = "B's step 4, update: not its tensors' hash: edited"
    assert any(said in note for note in diff(kept, edited(kept, first_tensor("update"))).notes)
    known = change("optimizer.hyper.0.eps", 1e-6)
    assert diff(kept, edited(kept, known)).notes == ()
