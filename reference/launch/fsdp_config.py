"""The `fsdp_config` of a configuration: what of it the Accelerate loop can do.

    python -m reference launch fsdp-cpu-2 train accelerated

What is given otherwise is refused, rather than trained in another way than was asked for.
"""

from collections.abc import Mapping
from typing import Any

from reference.errors import InputError
from reference.messages import brief, nearest

# Each field with the values that it may have; an empty tuple: any, as it doesn't change the run.
FIELDS: dict[str, tuple[Any, ...]] = {
    "fsdp_version": (2,),
    "fsdp_reshard_after_forward": (True, "FULL_SHARD"),
    "fsdp_auto_wrap_policy": ("TRANSFORMER_BASED_WRAP",),
    "fsdp_transformer_layer_cls_to_wrap": ("BertLayer",),
    "fsdp_offload_params": (False,),
    "fsdp_activation_checkpointing": (False,),
    "fsdp_cpu_ram_efficient_loading": (),
    "fsdp_state_dict_type": (),
}
WHY = {
    "fsdp_version": "the first FSDP doesn't run on a CPU in torch 2.13, and isn't here",
}


def check_fsdp(config: Any) -> None:
    """Raise InputError, with the field, where an `fsdp_config` asks for what isn't there."""
    if not isinstance(config, Mapping):
        raise InputError(f"fsdp_config: {brief(config)}; give fields as accelerate config does")
    for name in ("fsdp_version", *config):  # without a version Accelerate takes the first
        if name not in FIELDS:
            raise InputError(f"fsdp_config: {nearest('field', name, FIELDS)}")
        value, allowed = config.get(name, 1), FIELDS[name]
        if allowed and value not in allowed:
            why = WHY.get(name, "the loop shards layer by layer, on its device, and no other way")
            raise InputError(f"fsdp_config.{name}: {brief(value)}: {why}; give {allowed[0]}")
