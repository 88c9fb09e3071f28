"""The installed versions of what a run's bits depend on, found without importing any of it.

python -m reference env
"""

import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def processor() -> str:
    """What the processor calls itself; where it doesn't, its kind alone."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of this package's code, short; `+` after it where files were changed since.

    Where the package lies in no repository it is the package's own version.
    """
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--exclude=*", "--dirty=+"]
    with suppress(OSError):
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return said.stdout.strip()
    return version("finetuning-reference")
