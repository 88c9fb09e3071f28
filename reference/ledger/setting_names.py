"""Names of settings of modules: of several that are alike but for numbers a ledger has one."""

import re

# Behind a setting's name: what its class takes where it isn't told. No setting by itself.
BY_DEFAULT = " by default"
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


def pattern_of(name: str) -> str:
    """`layer.*.dropout.p` for `layer.0.dropout.p`."""
    return _NUMBER.sub("*", name)
