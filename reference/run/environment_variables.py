"""Variables of the environment don't change a run: they are put aside while it lasts.

Those that somebody may have set on purpose are refused.

    ACCELERATE_MIXED_PRECISION=bf16 python -m reference train manual

Accelerate and `TrainingArguments` read dozens of variables in place of arguments that they weren't
given (source: accelerate 1.15, transformers 5.23). `accelerate launch` sets some, with values that
change nothing. Those are accepted, and so is a variable that says what the recipe says.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reference.errors import InputError
from reference.lesson.recipe import Recipe

PREFIXES = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_")
SIZES = (
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "PMI_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "MV2_COMM_WORLD_SIZE",
)
# With one process they would still wrap the model in DistributedDataParallel.
RANKS = ("RANK", "LOCAL_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
OFF = ("", "0", "n", "no", "off", "f", "false", "none")
SEVERAL = (
    "USE_FSDP",
    "USE_DEEPSPEED",
    "USE_MEGATRON_LM",
    "USE_PARALLELISM_CONFIG",
    "USE_SAGEMAKER",
)


def check_environment(recipe: Recipe, environment: Mapping[str, str] = os.environ) -> None:
    """Raise InputError for a variable that asks for another run than the recipe does."""
    if environment.get("WORLD_SIZE", "1") in ("", "1"):
        for name in SIZES:
            if environment.get(name, "1") not in ("", "1"):
                raise InputError(
                    f"{name}: {environment[name]} processes, and no WORLD_SIZE and RANK that say "
                    "which one this is; launch them by torchrun or python -m reference launch"
                )

    def given(name: str) -> str:
        return environment.get(f"ACCELERATE_{name}", "").lower()

    for name in SEVERAL:
        if given(name) not in OFF:
            why = "these loops train whole models, or shards of them by --fsdp full_shard"
            raise _refusal(name, given(name), why)
    if given("DYNAMO_BACKEND") not in OFF:
        raise _refusal("DYNAMO_BACKEND", given("DYNAMO_BACKEND"), "the recipe compiles nothing")
    # What `accelerate launch` says when nobody asked, and what the recipe says, are no other run.
    for name, usual in (("MIXED_PRECISION", OFF), ("GRADIENT_ACCUMULATION_STEPS", ("", "1"))):
        says = str(getattr(recipe, name.lower()))
        if given(name) not in (*usual, says):
            option = f"--{name.lower().replace('_', '-')}"
            why = f"the recipe says {says}; give {option} {given(name)}"
            raise _refusal(name, given(name), why)
    if given("USE_CPU") not in OFF and recipe.device == "cuda":
        raise _refusal("USE_CPU", given("USE_CPU"), "the run is on cuda; give --device cpu")
    if given("TORCH_DEVICE") and recipe.device not in ("auto", given("TORCH_DEVICE").split(":")[0]):
        raise _refusal("TORCH_DEVICE", given("TORCH_DEVICE"), f"the run is on {recipe.device}")


def _refusal(name: str, value: str, why: str) -> InputError:
    return InputError(f"ACCELERATE_{name}={value} in the environment: {why}, or unset it")


def see_one_gpu() -> None:
    """Hide all GPUs but the first from this process; call it before CUDA is used.

    The Trainer would spread over every GPU that it sees, which is another run.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


@contextmanager
def put_aside(world_size: int = 1) -> Iterator[None]:
    """A context without the variables that would change a run; afterwards they are as before.

    Args:
        world_size: how many processes train; where there are several, the variables that say which
            one this is stay.
    """
    places = (*SIZES, *RANKS) if world_size == 1 else ()

    def present() -> list[str]:
        return [n for n in os.environ if n.startswith(PREFIXES) or n in places]

    before = {name: os.environ.pop(name) for name in present()}
    try:
        yield
    finally:
        for name in present():  # set by libraries meanwhile; the next run must not see them
            del os.environ[name]
        os.environ.update(before)
