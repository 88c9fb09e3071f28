"""What one process of one environment measures for `benchmarks.upgrade`; it writes `OUT.json`.

    python -m benchmarks.upgrading.time_one_process OUT.json [--yardstick numpy]

The loops, the bare step and a yardstick take their steps in turn. The yardstick is a training step
with PyTorch alone, since the bare step uses the library that may have become slower. Where PyTorch
is what was upgraded, it is about as much work with NumPy. That is the worse yardstick: by it a
loop's medians over 8 processes spread by 5 to 8 % (standard deviation), and by PyTorch's by 1.1 to
1.6 %, with another program on the machine for a part of them (2026-11-26).
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import timed_work
from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.quiet import take_turns_quietly
from benchmarks.timing.recipes import make_recipe, short_evaluation
from benchmarks.timing.rounds import check_right
from benchmarks.timing.turns import Participant
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.recipe import Recipe
from reference.process.exit_codes import ended
from reference.process.whole_files import write_json

BARE, YARDSTICK = "bare step", "yardstick"
Times = dict[str, list[list[float]]]  # by name: rounds of steps, in seconds


def measure(rounds: int, steps: int, loops: Sequence[str] = LOOPS, by: str = "torch") -> Times:
    """Rounds of all in turn, each with models made anew.

    Args:
        rounds: how many.
        steps: in a round; a multiple of `orders(loops)`.
        loops: their names.
        by: the yardstick, one of `YARDSTICKS`.

    Raises:
        TrainingFailed: two loops end with unequal weights.
    """
    recipe = make_recipe("embedded", steps)
    data = short_evaluation(load_data(recipe))
    times: Times = {}
    for _ in range(rounds):
        participants = [
            Participant(YARDSTICK, YARDSTICKS[by](recipe, data), recipe.num_threads),
            Participant(BARE, timed_work.bare_step(recipe, data), recipe.num_threads),
            *(
                Participant(name, timed_work.loop(get_loop(name), recipe, data), recipe.num_threads)
                for name in loops
            ),
        ]
        take_turns_quietly(participants, recipe.max_steps)
        check_right(participants[1:])  # the yardstick is another model
        for participant in participants:
            seconds = [step.busy for step in participant.steps[1:]]
            times.setdefault(participant.name, []).append(seconds)
    return times


def torch_yardstick(recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    """A model about as large as the embedded one, on its batches, with nothing but PyTorch."""

    def train(participant: Participant) -> None:
        torch.manual_seed(recipe.seed)
        batches = [batch["input_ids"] for batch in timed_work.pipeline_batches(recipe, data)]
        layers = [torch.nn.TransformerEncoderLayer(64, 1, 128, batch_first=True) for _ in range(2)]
        words = torch.nn.Embedding(1 + max(int(ids.max()) for ids in batches), 64)
        model = torch.nn.Sequential(words, *layers)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        for ids in batches:
            participant.clock.restart()
            optimizer.zero_grad()
            model(ids).square().mean().backward()
            optimizer.step()

    return train


def numpy_yardstick(recipe: Recipe, data: Data) -> Callable[[Participant], None]:
    """About as much work, within the caches and beyond them, with nothing but NumPy."""

    def work(participant: Participant) -> None:
        rng = np.random.default_rng(recipe.seed)
        shapes = ((512, 64), (64, 128), (128, 64), (1000, 600))
        x, up, down, weights = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
        for _ in range(recipe.max_steps):
            participant.clock.restart()
            y = x
            for _layer in range(18):
                y = np.maximum(y @ up, 0) @ down
                y = (y - y.mean(1, keepdims=True)) / (y.std(1, keepdims=True) + 1e-5)
                e = np.exp(y)
                y = e / e.sum(1, keepdims=True)
            np.multiply(weights, 0.999, out=weights)
            participant.end_step()

    return work


YARDSTICKS = {"torch": torch_yardstick, "numpy": numpy_yardstick}


def orders(loops: Sequence[str] = LOOPS) -> int:
    """How many steps make a cycle, in which each takes each place equally often."""
    return len(balanced(len(loops) + 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the times; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrading.time_one_process")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--yardstick", choices=YARDSTICKS, default="torch")
    args = parser.parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    write_json(args.out, measure(args.rounds, args.steps, by=args.yardstick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
