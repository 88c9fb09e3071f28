"""Names of parameters and buffers: the model's own, whatever it is wrapped in."""

from reference.observe.torch_internals import WRAPPERS


def plain_name(name: str) -> str:
    """A parameter's name without what `torch.compile` and data parallel modules add to it."""
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper).replace(f".{wrapper}", ".")
    return name
