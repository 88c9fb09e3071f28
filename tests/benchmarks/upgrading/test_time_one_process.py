"""One process of one environment: all take their steps in turn beside a yardstick."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.upgrading import time_one_process
from benchmarks.upgrading.time_one_process import BARE, YARDSTICK, YARDSTICKS


@pytest.mark.parametrize("yardstick", YARDSTICKS)
def test_a_process_times_all_beside_a_yardstick(yardstick: str, tmp_path: Path) -> None:
    steps = time_one_process.orders(("manual",))
    times = time_one_process.measure(2, steps, ("manual",), yardstick)
    assert list(times) == [YARDSTICK, BARE, "manual"]
    assert np.asarray(list(times.values())).shape == (3, 2, steps)
    assert min(min(round) for rounds in times.values() for round in rounds) > 0.0005
