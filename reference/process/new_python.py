"""A new Python that runs a part of this package, as `python -m` would.

Also where the package is found from this process's folder alone, or the other Python is of another
environment: the package's own folder is on the path while it is imported, and no longer.
"""

from pathlib import Path

PACKAGES = str(Path(__file__).parents[2])  # the folder that holds this package


def words_for(module: str) -> list[str]:
    """What stands behind the name of a Python, before the arguments of the module's `main`.

    Args:
        module: in this package; its `main()` gives the exit code.
    """
    code = (
        "import os, sys\n"
        "sys.path[:1] = [os.getcwd()] if sys.path[:1] == [''] else sys.path[:1]\n"
        "sys.path.insert(0, sys.argv.pop(1))\n"
        "import reference\n"
        "del sys.path[0]\n"
        f"from {module} import main\n"
        "sys.exit(main())\n"
    )
    return ["-c", code, PACKAGES]
