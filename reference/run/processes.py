"""One run in several processes: seen to be possible, begun together, and by one recipe.

    torchrun --nproc_per_node 2 -m reference train accelerated

A launcher starts the processes and says in variables which is which. What is found wrong here is
found before anything is trained, and each process that is unlike the others is named.
"""

import os
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reference.errors import InputError, TrainingFailed
from reference.lesson.data.shares import TrainingShares
from reference.lesson.recipe import Recipe
from reference.messages import brief, first_line
from reference.observe.script.launcher import Launch
from reference.process.exit_codes import end_process
from reference.run.meeting import take_network

PATIENCE = timedelta(seconds=120)  # for all to have loaded their data, and to come
LATE = 15  # seconds beyond it, after which a process that still waits is ended
SILENT = "one of them doesn't answer"
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
# What may differ between machines of one run: names of folders, and processors.
PLACES = {"recipe.name", "recipe.data", "recipe.checkpoint", "data.source", "checkpoint.name"}
PLACES |= {"device", "platform", "cpu_capability", "rank"}


def join(recipe: Recipe, launch: Launch) -> None:
    """Begin the group of this launch's processes.

    Args:
        recipe: its device says by which backend they speak: gloo on a CPU, nccl on GPUs.
        launch: which process this one is.

    Raises:
        InputError: there are fewer GPUs here than processes, or no backend for the device.
        TrainingFailed: not all of them came.
    """
    import torch
    from accelerate import PartialState

    _check_device(recipe.device, launch)
    os.environ.setdefault("OMP_NUM_THREADS", str(recipe.num_threads))  # Accelerate warns without
    take_network(launch)
    # torch waits for each of several things for as long, and for some of them for ever.
    late = threading.Timer(PATIENCE.seconds + LATE, end_process, [_not_met(launch, SILENT)])
    late.daemon = True
    late.start()
    try:
        PartialState(cpu=recipe.device == "cpu", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingFailed(_not_met(launch, first_line(str(error)))) from error
    finally:
        late.cancel()
    torch.set_num_threads(recipe.num_threads)
    if torch.distributed.get_world_size() != launch.world_size:
        raise InputError(
            f"WORLD_SIZE: {launch.world_size} processes were asked for, and "
            f"{torch.distributed.get_world_size()} train; launch it anew"
        )


def _check_device(device: str, launch: Launch) -> None:
    import torch
    import torch.distributed as dist

    here = int(os.environ.get("LOCAL_WORLD_SIZE") or launch.world_size)
    gpus = torch.cuda.device_count()
    if device == "cuda" and gpus < here:
        raise InputError(
            f"device: {here} processes on this machine, and {gpus} GPUs; launch one process a GPU, "
            "or give --device cpu"
        )
    backend = BACKENDS[device]
    if not (dist.is_available() and dist.is_backend_available(backend)):
        raise InputError(
            f"device: processes on {device} speak by {backend}, which this torch "
            f"({torch.__version__}) was built without; install another, or train in one process"
        )


def _not_met(launch: Launch, why: str) -> str:
    where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    return (
        f"the {launch.world_size} processes didn't meet at {where} in {PATIENCE.seconds} s "
        f"({why}); see that all of them were started, and that this port is free and can be reached"
    )


def leave() -> None:
    """Wait until all have come to the end, and leave the group."""
    import torch.distributed as dist

    dist.barrier()
    dist.destroy_process_group()


def check_agreement(header: Mapping[str, Any], launch: Launch) -> None:
    """Raise InputError, in all processes, where one has another recipe, data or versions.

    Args:
        header: what identifies this process's run (`header.py`).
        launch: which process this one is.
    """
    from accelerate.utils import gather_object

    all_of_them = gather_object([_flat(header)])
    first = all_of_them[0]
    unlike = []
    for rank, other in enumerate(all_of_them):
        names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
        if names:
            name = names[0]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            values = f"{brief(other.get(name))} where rank 0 has {brief(first.get(name))}"
            unlike.append(f"rank {rank}: {name}: {values}{more}")
    if unlike:
        raise InputError(f"{'; '.join(unlike)}; give all processes the same")


def from_rank_0(value: Any) -> Any:
    """Rank 0's value, in all processes."""
    from accelerate.utils import broadcast_object_list

    values = [value]
    broadcast_object_list(values)
    return values[0]


def mean_loss(loss: Any, recipe: Recipe, loop: str, rows: int, steps: int, launch: Launch) -> Any:
    """The loss of a run's last batch over the rows of all processes; None where one has none.

    Args:
        loss: of this process's share.
        recipe: by which the run trained.
        loop: the loop that trained.
        rows: how many training rows there are.
        steps: how many steps the run had.
        launch: which process this one is.
    """
    from accelerate.utils import gather_object

    weight = 1.0  # shares that are all as large
    if loop == "accelerated" and recipe.sharing == "exact":
        batches = recipe.batches_per_epoch(rows)
        step = (steps - 1) % recipe.steps_per_epoch(batches) + 1
        last = min(step * recipe.gradient_accumulation_steps, batches) - 1
        shares = TrainingShares(
            range(rows), recipe.train_batch_size, launch.rank, launch.world_size
        )
        (weight,) = shares.weights(last, 1)
    if weight == 0.0:
        loss = 0.0  # no row of this process's, and so no gradient by which a loss is told
    losses = gather_object([None if loss is None else float(loss) * weight])
    return None if None in losses else sum(losses) / len(losses)


def _flat(header: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A header's fields by their whole names, as recipe.seed."""
    flat: dict[str, Any] = {}
    for name, value in header.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = value
    return {name: value for name, value in flat.items() if name not in PLACES}
