"""A training step of each loop and the bare step, all in turn in one process.

    python -m pytest benchmarks -k in_turn -s
    python -m pytest benchmarks -m gpu -k in_turn -s      on a CUDA device, part of: tox -e gpu

Equal first, then timed: all must end with the same weights. They are measured together, and each
has its own benchmark, a round of which is a step. With the bare step's stand the ratios, intervals
and counts, where `python -m benchmarks.gate --run RUN.json` and the report read them.
"""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.measurements.loops_in_turn import CHECKPOINTS, InTurn, measure_in_turn, padding
from benchmarks.results.replayed_timer import replay, replayed
from benchmarks.timing import recipes
from benchmarks.timing.checkpoints import cases, source_of
from benchmarks.timing.rounds import BARE
from reference.lesson.loops import LOOPS

Measure = Callable[[str, str], InTurn]


@pytest.fixture(scope="session")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Measures at the first call, and then knows it, or what went wrong."""
    known: dict[tuple[str, str], InTurn | Exception] = {}

    def found(checkpoint: str, device: str) -> InTurn:
        if (checkpoint, device) not in known:
            source = source_of(checkpoint, tmp_path_factory.mktemp(checkpoint))
            try:
                known[checkpoint, device] = measure_in_turn(checkpoint, source, device)
            except Exception as error:
                known[checkpoint, device] = error
        turn = known[checkpoint, device]
        if isinstance(turn, Exception):
            raise turn
        return turn

    return found


@pytest.mark.parametrize("name", [BARE, *LOOPS])
@pytest.mark.parametrize(("checkpoint", "device"), cases(CHECKPOINTS, slow={"bert-base"}))
@pytest.mark.benchmark(timer=replayed)
def test_in_turn(
    benchmark: BenchmarkFixture, in_turn: Measure, checkpoint: str, device: str, name: str
) -> None:
    turn = in_turn(checkpoint, device)
    benchmark.group = f"a step in turn, {turn.checkpoint}"
    replay(benchmark, turn.seconds(name))
    figures = {"checkpoint": turn.checkpoint, "in_turn": name, "steps": turn.steps}
    benchmark.extra_info.update({**figures, **padding(turn), **recipes.surroundings(turn.recipe)})
    benchmark.extra_info["peak_process_bytes"] = turn.peak_bytes
    if turn.peak_device_bytes is not None:
        benchmark.extra_info["peak_device_bytes"] = turn.peak_device_bytes
    if name == BARE:
        benchmark.extra_info.update(turn.figures())
        print("\n" + "\n".join(turn.told()))
        if turn.outcome is not None:
            assert not turn.outcome.past, turn.outcome.verdict
