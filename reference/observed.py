"""The name under which `observing` was first documented: `reference.observe.script` has it."""

from reference.observe.script import observing

__all__ = ["observing"]
