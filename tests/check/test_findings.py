"""Each finding is told of a training with its fault; what a ledger lacks is said."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim import SGD

from reference.check.examination import examine
from reference.check.finding import Level
from reference.check.reader import read_training
from reference.check.registry import FINDINGS, each_once
from reference.check.report_text import exit_code, lines
from reference.ledger.link_table import OF_NAME
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from tests.check.faults import FAULTS, OTHERS, saved
from tests.check.ledgers import examined, names_in, training_of
from tests.check.sound_runs import data, loop, mlp

# What follows from a fault, and is as true: a loss of no label is NaN, and so on.
FOLLOWS = {
    "all-labels-ignored": {"loss-not-finite", "gradients-are-zero"},
    "labels-ignored-at-times": {"loss-not-finite"},
    "loss-not-finite": {"gradient-not-finite"},
    "generator-reset": {"order-repeats"},
    "resumed-without-schedule": {"schedule-longer-than-run"},
}


LEVELS = {finding.name: finding.level for finding in FINDINGS}


def test_every_finding_has_its_fault() -> None:
    names = {finding.name for finding in FINDINGS}
    assert names == FAULTS.keys() | OTHERS
    assert not FAULTS.keys() & OTHERS


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    saved()
    examination = examined(FAULTS[name])
    found = names_in(examination)
    assert name in found
    assert set(found) <= {name} | FOLLOWS.get(name, set())
    # A planted fault is as sure as its kind can be: what leaves a sound reading is in `sound_*.py`.
    assert [f.level for f in examination.found if f.finding.name == name] == [LEVELS[name]]


def test_an_evaluation_in_train_mode_is_found() -> None:
    memory = Memory({"program": {}})
    model = mlp(0.5)
    with Observer(memory, uncalled=True) as observer:
        loop(model, SGD(model.parameters(), 0.1))
        with torch.no_grad():
            model(torch.randn(32, 6))
        observer.add_scores({"accuracy": 0.5})
    assert names_in(examine([read_training(memory.ledger)])) == ["evaluation-in-train-mode"]


def test_two_findings_of_one_name_are_an_error() -> None:
    with pytest.raises(LookupError, match=f"finding {FINDINGS[0].name}: there are two"):
        each_once([*FINDINGS, replace(FINDINGS[1], name=FINDINGS[0].name)])


def test_every_finding_says_what_to_do() -> None:
    for finding in FINDINGS:
        assert finding.remedy
        assert not finding.remedy.endswith(".")
        assert ": " in finding.link


def older(ledger: Ledger, change: Callable[[dict[str, object]], object]) -> Ledger:
    """The ledger as an older version would have kept it."""
    memory = Memory({k: v for k, v in ledger.header.items() if k not in ("kind", "schema")})
    for item in ledger.items:
        record = dict(item.record)
        change(record)
        memory.write(record)
    return memory.ledger


def test_what_a_ledger_lacks_is_said_and_not_claimed() -> None:
    memory = Memory({"program": {}})
    with Observer(memory, uncalled=True):
        FAULTS["never-zeroed"]()
    without = older(memory.ledger, lambda record: record.pop("chores", None))
    examination = examine([read_training(without)])
    assert names_in(examination) == []
    left = "gradient: whether old ones are left when a step begins"
    assert left not in examination.looked_at
    assert dict(examination.unseen)[left].startswith("the ledger was kept before")
    assert any("not seen: " in line and left in line for line in lines(examination))


def test_a_loss_that_no_module_made_is_not_said_to_be_finite() -> None:
    model = mlp()
    examination = examined(lambda: loop(model, SGD(model.parameters(), 0.1)))
    assert "forward: whether the loss is finite" in dict(examination.unseen)
    with_module = examined(
        lambda: loop(model, SGD(model.parameters(), 0.1), loss_of=nn.CrossEntropyLoss())
    )
    assert "forward: whether the loss is finite" in with_module.looked_at


def test_ranks_are_not_said_to_be_looked_at_where_there_is_one_process() -> None:
    model = mlp()
    examination = examined(lambda: loop(model, SGD(model.parameters(), 0.1)))
    assert not [each for each in examination.looked_at if "ranks" in each]


def test_the_most_serious_comes_first_and_look_is_no_failure() -> None:
    def both() -> None:
        model, loader = mlp(0.5).eval(), data(shuffle=False)
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(4):
            for x, y in loader:
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()

    examination = examined(both)
    levels = [each.level for each in examination.found]
    assert levels == [Level.WRONG, Level.LIKELY, Level.LOOK]
    assert exit_code(examination) == 1
    only_look = examined(FAULTS["order-repeats"])
    assert [each.level for each in only_look.found] == [Level.LOOK]
    assert exit_code(only_look) == 0


def test_a_training_that_failed_is_said_to_have_no_whole_end() -> None:
    memory = Memory({"program": {}})
    model = mlp()
    observer = Observer(memory, uncalled=True).start()
    loop(model, SGD(model.parameters(), 0.1))
    observer.finish(complete=False)
    said = lines(examine([read_training(memory.ledger)]))
    assert said[-1] == "the run has no whole end: it failed, was stopped, or goes on"
    assert training_of(FAULTS["one-batch"]).whole


def test_every_finding_names_a_link() -> None:
    assert {finding.link.partition(": ")[0] for finding in FINDINGS} <= OF_NAME.keys()
