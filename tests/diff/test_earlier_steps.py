"""What is remembered of earlier steps: as much as there is room for."""

from typing import Any

import pytest

from reference.diff import earlier_steps
from reference.diff.earlier_steps import Earlier, batch_key


def step(number: int, rows: int = 4) -> dict[str, Any]:
    hashes = " ".join(f"{number:04x}{row:04x}" for row in range(rows))
    value = [f"batch{number}", [rows, 2], "float32", None, {"rows": hashes}]
    return {"batch": [{"x": value}], "update": {"hash": f"after{number}"}}


def remembered(numbers: list[int], rows: int = 4) -> Earlier:
    earlier = Earlier()
    for place, number in enumerate(numbers, 1):
        earlier.remember(step(number, rows), place)
    return earlier


def test_all_of_a_few_steps_is_remembered() -> None:
    earlier = remembered([1, 2, 1])
    assert (len(earlier.rows), earlier.complete) == (8, True)
    assert earlier.batches == {batch_key(step(1)): 1, batch_key(step(2)): 2}
    assert earlier.updates == {"after1": 3, "after2": 2}


@pytest.mark.parametrize(("limit", "kept"), [("MOST_ROWS", 8), ("MOST", 2)])
def test_what_is_too_much_is_left_out_and_known_to_be(
    limit: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_steps, limit, kept)
    assert remembered([1, 2, 1, 2]).complete
    earlier = remembered([1, 2, 3, 1, 4])
    assert (len(earlier.rows), len(earlier.batches), earlier.complete) == (8, 2, False)
