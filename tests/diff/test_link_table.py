"""A link is a row of the table, a comparator and what records it: none of them can be forgotten."""

import subprocess
import sys

import pytest

from reference.diff.link_comparators import COMPARATORS, one_for_each_link
from reference.ledger.link_table import LINKS, METRICS, TABLE, Link
from reference.ledger.schema import FIELDS
from tests.helpers.small import net, train, watch

PLANTED = """
from dataclasses import replace

from reference.ledger import link_table

row = replace(link_table.TABLE[0], name="planted")
link_table.OF_NAME["planted"] = row
import reference.diff.verdict
"""


def test_a_link_without_a_comparator_is_an_error_at_import() -> None:
    """And never a link that counts as equal."""
    ran = subprocess.run([sys.executable, "-c", PLANTED], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "LookupError: link planted: a row of" in ran.stderr
    assert "no comparator" in ran.stderr
    without = PLANTED.replace('link_table.OF_NAME["planted"] = row', "")
    ran = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_comparator_without_a_link_is_an_error() -> None:
    assert one_for_each_link(COMPARATORS) is COMPARATORS
    with pytest.raises(LookupError, match="comparator of_none"):
        one_for_each_link({**COMPARATORS, "of_none": COMPARATORS["batch"]})


def test_a_row_says_what_its_link_is() -> None:
    with pytest.raises(TypeError, match="computed"):
        Link(name="planted", check=TABLE[0].check, holds=TABLE[0].holds)  # type: ignore[call-arg]


def test_the_order_of_the_links() -> None:
    assert LINKS[0] == "batch"
    assert (*LINKS, METRICS) == tuple(link.name for link in TABLE)


def test_what_the_observer_writes_of_a_step_is_in_the_table() -> None:
    """A field without a row would be compared by nobody; a link that nothing records, neither."""
    ledger = watch(lambda: train(net()))
    assert len(ledger.steps) == 3
    for step in ledger.steps:
        assert set(step) <= set(FIELDS)
        assert set(LINKS) <= set(step)
