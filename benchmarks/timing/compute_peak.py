"""What the machine can do at best, and what a step asks of it: matrix products in float32.

Matrix products are counted, which are nearly all of a step's operations. Attention's own are
left out where PyTorch's counter has no formula for its kernel (on a CPU, 2.13).
"""

from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import timed_work
from benchmarks.timing.device_moments import duration
from reference.lesson.data.pipeline import Data
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe

SIZE = 2048  # of the square matrices: 16 MB each, far more than a cache
TRIES = 7


def matrix_product_peak(recipe: Recipe) -> float:
    """Operations a second at best, over some products of two square matrices."""
    torch.set_num_threads(recipe.num_threads)
    device = torch.device(recipe.device)
    a, b = torch.randn(SIZE, SIZE, device=device), torch.randn(SIZE, SIZE, device=device)
    best = min(duration(partial(torch.mm, a, b), recipe.device) for _ in range(TRIES))
    return 2 * SIZE**3 / best


def operations_a_step(recipe: Recipe, data: Data) -> float:
    """Operations of forward and backward pass: the mean over the run's batches but the first."""
    device = torch.device(recipe.device)
    model = load_model(recipe).to(device)
    model.train()
    total = steps = 0
    for batch in list(timed_work.pipeline_batches(recipe, data))[1:]:
        with FlopCounterMode(display=False) as counter:
            model(**{k: v.to(device) for k, v in batch.items()}).loss.backward()
        total, steps = total + counter.get_total_flops(), steps + 1
    return total / steps
