"""A process that is killed within a save leaves the checkpoints before as they were.

Each call of a save that changes the disk is, in turn, the last one that the process makes: once
before it, once after it.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from reference.lesson.saving.checkpoint_folder import check_whole, clear_parts, name_of, newest
from reference.lesson.saving.manifest import Manifest
from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

CALLS = ("fsync", "rename", "mkdir", "rmdir", "unlink", "open")
# Saves one after step 3 and one after step 6, and keeps one: the second save also takes one away.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from reference.lesson.saving import checkpoint_folder
from reference.lesson.saving.manifest import Manifest, describe

def save(step):
    files = {name: bytes([step]) * 300_000 for name in ("weights.safetensors", "state.json")}
    listed = {name: describe(content) for name, content in files.items()}
    checkpoint_folder.write_checkpoint(
        Path(sys.argv[1]), Manifest(step, listed, {}, {}), files, 1
    )

save(3)
left = int(sys.argv[2])

def dying(call):
    def called(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return called

for name in sys.argv[3].split(","):
    setattr(os, name, dying(getattr(os, name)))
checkpoint_folder.open = dying(open)
save(6)
"""


def accept(manifest: Manifest) -> None:
    """All of them."""


def killed_after(folder: Path, calls: int) -> int:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(calls), ",".join(CALLS)]
    return subprocess.run(command, cwd=ROOT, timeout=LIMIT, check=False).returncode


@pytest.mark.parametrize("first", range(1, 7))
def test_killed_at_each_call_of_a_save(tmp_path: Path, first: int) -> None:
    """Every sixth, beginning with the first one: together all of them."""
    found = set()
    place, code = first, -9
    while code == -9:
        folder = tmp_path / str(place)
        code = killed_after(folder, place)
        manifest = newest(folder, accept, pytest.fail)[1]
        found.add(manifest.step)
        assert check_whole(folder / name_of(manifest.step), accept) == manifest
        clear_parts(folder)
        left = {each.name for each in folder.iterdir()}
        assert left <= {name_of(3), name_of(6)}
        place += 6
    assert code == 0
    assert found == {3, 6}  # it was killed before the second one was there, and after
    assert place > 24  # a save makes many more calls than six
