"""A checkpoint that isn't what was saved is named, and never gone on from."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reference.lesson.saving.checkpoint_folder import (
    check_whole,
    checkpoints_in,
    name_of,
    newest,
    write_checkpoint,
)
from reference.lesson.saving.manifest import MANIFEST, Damaged, Manifest, Unusable, describe

NAMES = ("weights.safetensors", "optimizer.safetensors", "generators.safetensors", "state.json")


def save(folder: Path, step: int, keep: int | None = None, seed: int = 0) -> Path:
    drawn = random.Random(seed + step)
    files = {name: drawn.randbytes(500 + drawn.randrange(500)) for name in NAMES}
    listed = {name: describe(content) for name, content in files.items()}
    manifest = Manifest(step, listed, {"recipe": {"seed": seed}}, {"ledger": {"bytes": step}})
    return write_checkpoint(folder, manifest, files, keep)


def accept(manifest: Manifest) -> None:
    """All of them."""


def is_refused(checkpoint: Path, *named: str) -> None:
    with pytest.raises(Damaged) as refused:
        check_whole(checkpoint, accept)
    said = str(refused.value)
    assert str(checkpoint) in said
    assert "\n" not in said
    for each in named:
        assert each in said


@pytest.mark.parametrize("name", [*NAMES, MANIFEST])
def test_a_flipped_bit(tmp_path: Path, name: str) -> None:
    """Each byte of each file, one bit of it."""
    checkpoint = save(tmp_path / "checkpoints", 3)
    path = checkpoint / name
    content = path.read_bytes()
    expected = describe(content)[1]
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        told = () if name == MANIFEST else (name, expected, describe(bytes(flipped))[1])
        is_refused(checkpoint, *told)
    path.write_bytes(content)
    assert check_whole(checkpoint, accept).step == 3


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "emptied": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a FIFO": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to the same content": lambda path: (
        path.rename(path.parent.parent / "elsewhere"),
        path.symlink_to(path.parent.parent / "elsewhere"),
    ),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("/nowhere")),
    "a sparse file of 2 TB": lambda path: os.truncate(path, 1 << 41),
}


@pytest.mark.parametrize("name", [*NAMES, MANIFEST])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_file_is_another(tmp_path: Path, name: str, damage: Callable[[Path], object]) -> None:
    checkpoint = save(tmp_path / "checkpoints", 3)
    damage(checkpoint / name)
    is_refused(checkpoint, name)


def test_swapped_mixed_and_added_files(tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "checkpoints", 3)
    other = save(tmp_path / "other", 3, seed=1)
    for name in NAMES:
        mixed = tmp_path / "mixed" / name_of(3)
        shutil.copytree(checkpoint, mixed)
        shutil.copy(other / name, mixed / name)
        is_refused(mixed, name)
        shutil.rmtree(mixed)
    (checkpoint / "weights.safetensors").rename(checkpoint / "aside")
    (checkpoint / "state.json").rename(checkpoint / "weights.safetensors")
    (checkpoint / "aside").rename(checkpoint / "state.json")
    is_refused(checkpoint)
    (other / "optimizer.pt").write_bytes(b"a pickle")
    is_refused(other, "optimizer.pt", "isn't in manifest.json")


HOSTILE = {
    "out of the folder": "../outside",
    "from the root": "/etc/passwd",
    "hidden": ".hidden",
    "the manifest itself": MANIFEST,
    "with a NUL": "a\0b",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_manifest_that_names_another_place(tmp_path: Path, name: str) -> None:
    checkpoint = save(tmp_path, 3)
    (checkpoint / MANIFEST).write_bytes(Manifest(3, {name: (1, "0" * 64)}, {}, {}).encode())
    is_refused(checkpoint, "field files")


@pytest.mark.parametrize("size", [1 << 63, -1, True, 1.5, "1"])
def test_a_manifest_with_a_size_of_no_file(tmp_path: Path, size: int) -> None:
    checkpoint = save(tmp_path, 3)
    (checkpoint / MANIFEST).write_bytes(Manifest(3, {"a": (size, "0" * 64)}, {}, {}).encode())
    is_refused(checkpoint, "field files.a")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"[" * 200_000, b'{"a":1,"a":2}', b"\xff", b"NaN"]
)
def test_a_manifest_that_is_none(tmp_path: Path, content: bytes) -> None:
    checkpoint = save(tmp_path, 3)
    (checkpoint / MANIFEST).write_bytes(content)
    is_refused(checkpoint, MANIFEST)


def test_a_checkpoint_under_another_steps_name(tmp_path: Path) -> None:
    renamed = save(tmp_path, 3).rename(tmp_path / name_of(4))
    is_refused(renamed, "step 3")


def test_a_damaged_one_is_passed_over_by_name(tmp_path: Path) -> None:
    for step in (3, 6, 9):
        save(tmp_path, step)
    said: list[str] = []
    assert newest(tmp_path, accept, said.append)[1].step == 9
    assert said == []
    (tmp_path / name_of(9) / "state.json").write_bytes(b"")
    (tmp_path / name_of(6) / MANIFEST).unlink()
    assert newest(tmp_path, accept, said.append)[1].step == 3
    assert [name_of(9) in said[0] and "state.json" in said[0], MANIFEST in said[1]] == [True, True]
    (tmp_path / name_of(3) / "weights.safetensors").unlink()
    with pytest.raises(Unusable, match=r"weights\.safetensors: is missing"):
        newest(tmp_path, accept, said.append)


def test_the_oldest_go(tmp_path: Path) -> None:
    for step in (3, 6, 9, 12):
        save(tmp_path, step, keep=2)
    assert [each.name for each in checkpoints_in(tmp_path)] == [name_of(12), name_of(9)]
    assert sorted(os.listdir(tmp_path)) == [name_of(9), name_of(12)]


def test_what_is_written_is_json(tmp_path: Path) -> None:
    assert json.loads((save(tmp_path, 3) / MANIFEST).read_bytes())["step"] == 3
