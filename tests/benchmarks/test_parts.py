"""The command `python -m benchmarks.parts`."""

import pytest

from benchmarks import parts


def test_a_wrong_number_of_steps_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["--steps", "12"]) == 2
    assert capsys.readouterr().err == (
        "error: steps: 12 isn't a multiple of 8, one for each order\n"
    )
