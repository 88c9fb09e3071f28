"""Names of parameters and buffers: the model's own, whatever it is wrapped in.

They stand in the `model` records of a ledger: `python -m reference train manual` writes one.
"""

# What wrappers put before a parameter's name: torch.compile, and data parallel modules.
WRAPPERS = ("_orig_mod.", "module.")


def plain_name(name: str) -> str:
    """A parameter's name without what wrapping the model adds to it."""
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper).replace(f".{wrapper}", ".")
    return name
