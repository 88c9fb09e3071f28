"""The installed versions of what a run's bits depend on, found without importing any of it.

python -m reference env
"""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "accelerate", "tokenizers", "numpy")


def versions() -> dict[str, str]:
    """The installed version of each library that a run's bits depend on, or `missing`."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "missing"
    return installed


def machine() -> str:
    """Operating system and kind of processor: elsewhere bits may differ with nothing wrong."""
    return f"{platform.system()} {platform.machine()}"
