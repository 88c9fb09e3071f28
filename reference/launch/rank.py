"""One process of a launch: it learns its place, as torchrun would say it, and then is a command.

python -m reference.launch.rank RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE ADDRESS PORT WORDS...
"""

import os
import runpy
import sys

PLACE = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)

if __name__ == "__main__":
    place, words = sys.argv[1 : len(PLACE) + 1], sys.argv[len(PLACE) + 1 :]
    os.environ.update(zip(PLACE, place, strict=True))
    sys.argv = ["reference", *words]
    runpy.run_module("reference", run_name="__main__", alter_sys=True)
