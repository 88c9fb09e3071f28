"""What `observe` says on stderr when the program has ended."""

import platform
from collections.abc import Mapping
from pathlib import Path

from reference.observe.script.launcher import Launch
from reference.observe.script.observation import Observation

SHOWN = 3  # classes of models in a line
OBSERVE_THESE = "observe these: accelerate launch -m reference observe SCRIPT"


def steps_text(observation: Observation, folder: Path) -> str:
    """How many steps were seen, how many of them are in the ledger, and where that is."""
    until = f", until observing stopped ({observation.lost})" if observation.lost else ""
    until += ", and ended as --until asks" if observation.ended_as_asked else ""
    steps = f"{observation.steps} step{'s' * (observation.steps != 1)}"
    writer = observation.writer
    if not writer.lost:
        return f"{steps} observed{until}; run: {folder}"
    kept = f"run: {folder}" if writer.steps else "no ledger of them is left"
    return f"{writer.steps} of {steps} recorded ({writer.lost}){until}; {kept}"


def host_text(folder: Path, launch: Launch) -> str:
    """Where the ledgers of a host are that shares no folder with rank 0's."""
    host = platform.node()
    return (
        f"rank {launch.rank} and the others of {host}: run: {folder}, on that host; copy its "
        "ledgers into the folder of rank 0's, and diff reads them all"
    )


def no_steps_text(program: str, observation: Observation, code: int, launch: Launch) -> str:
    """What to say of a program in which no step was recorded, and what to do."""
    lost = observation.lost
    several = launch.world_size > 1
    name = f"{program}, rank {launch.rank}" if several else program
    if observation.trains_in_children:
        return f"{name}: no step was recorded: {lost}; {OBSERVE_THESE}"
    if lost:
        return f"{name}: no step could be recorded ({lost})"
    unseen = f"{name}: no optimizer step was seen, so there is no ledger of a training"
    if code != 0:
        return f"{unseen}; it ended with exit code {code} before its first step"
    called, backward = observation.passes
    if backward:
        return (
            f"{name}: no optimizer of torch's stepped: updates by hand or by another "
            f"library; {_passes(called)} and {_counted(backward, 'backward pass')} were seen; only "
            "the steps of a torch.optim.Optimizer make a ledger, an uncompiled one's"
        )
    if several:
        return unseen
    return (
        f"{unseen}; if it trains in processes of its own, {OBSERVE_THESE}; an optimizer whose "
        "`step` is compiled isn't seen"
    )


def _passes(called: Mapping[type, int]) -> str:
    """As in "3 forward passes of Sequential (keras)": with the library where it isn't torch."""
    count = _counted(sum(called.values()), "forward pass")
    libraries = {kind: kind.__module__.partition(".")[0] for kind in called}
    names = [
        kind.__qualname__ + (f" ({library})" if library not in ("torch", "__main__") else "")
        for kind, library in libraries.items()
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{count} of {', '.join(names[:SHOWN])}{more}" if names else count


def _counted(count: int, what: str) -> str:
    """As in '1 forward pass' and '2 forward passes'."""
    return f"{count} {what}{'es' * (count != 1)}"
