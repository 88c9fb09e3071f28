"""The embedded checkpoint's folder: whole, whatever happens to it."""

import errno
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from reference.errors import InputError
from reference.lesson.embedded import checkpoint, checkpoint_folder


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_whole_folder_is_not_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_make", lambda _: pytest.fail("made again"))
    assert checkpoint_folder(folder.parent) == folder
    assert sorted(_bytes(folder)) == sorted([*checkpoint.FILES, checkpoint.MANIFEST])
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "flipped": _flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*checkpoint.FILES, checkpoint.MANIFEST])
def test_damage_is_mended(folder: Path, name: str, damage: str) -> None:
    whole = _bytes(folder)
    DAMAGES[damage](folder / name)
    assert _bytes(folder) != whole
    assert checkpoint_folder(folder.parent) == folder
    assert _bytes(folder) == whole
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("manifest", ["[]", "null", '{"config.json": 1}', "[" * 100_000, "\xff"])
def test_a_manifest_of_nonsense_is_mended(folder: Path, manifest: str) -> None:
    whole = _bytes(folder)
    (folder / checkpoint.MANIFEST).write_text(manifest, encoding="latin-1")
    checkpoint_folder(folder.parent)
    assert _bytes(folder) == whole


def test_changed_source_is_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda p: read(p) + (b"#" if p.name == "weights.py" else b"")
    )
    assert checkpoint_folder(folder.parent) != folder


def _build(cache: Path, barrier: Any, results: Any) -> None:
    barrier.wait()
    made = checkpoint_folder(cache)
    results.put((str(made), checkpoint._whole(made)))


def _race(cache: Path, builders: int = 2) -> list[tuple[str, bool]]:
    # Forked: the libraries are imported once, and the builders start at the same moment.
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(builders), context.Queue()
    processes = [
        context.Process(target=_build, args=(cache, barrier, results)) for _ in range(builders)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join(600)
        assert process.exitcode == 0
    return found


def test_two_builders_at_once(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "shared"
    for _ in range(5):
        found = _race(cache)
        assert found == [(str(cache / folder.name), True)] * 2
        assert [path.name for path in cache.iterdir()] == [folder.name]
        for path in (cache / folder.name).iterdir():
            path.unlink()
        (cache / folder.name).rmdir()


def test_two_menders_at_once(folder: Path) -> None:
    whole = _bytes(folder)
    for name in checkpoint.FILES:
        _flip(folder / name)
        assert _race(folder.parent) == [(str(folder), True)] * 2
        assert _bytes(folder) == whole


def test_a_file_in_the_way(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"can't be kept there .*REFERENCE_CACHE"):
        checkpoint_folder(tmp_path / "file")
    other = tmp_path / "other"
    other.mkdir()
    (other / folder.name).touch()
    with pytest.raises(InputError, match="can't be kept there"):
        checkpoint_folder(other)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere; see the next test")
def test_an_unwritable_folder(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "locked"
    cache.mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"Permission denied.*REFERENCE_CACHE"):
        checkpoint_folder(cache)


def test_a_read_only_file_system(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(InputError, match=r"Read-only file system.*REFERENCE_CACHE"):
        checkpoint_folder(tmp_path / "new")
    assert checkpoint_folder(folder.parent) == folder  # a whole one there can be used


@pytest.mark.parametrize("full_at", [*checkpoint.FILES, checkpoint.MANIFEST])
def test_a_full_disk_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2] if path.name == full_at else data)
        if path.name == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    cache = tmp_path / "full"
    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(InputError, match=r"No space left on device.*make room"):
        checkpoint_folder(cache)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    assert checkpoint._whole(checkpoint_folder(cache))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"REFERENCE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"REFERENCE_CACHE": "", "XDG_CACHE_HOME": "/b"}, "/b/finetuning-reference"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/c"}, "/c/.cache/finetuning-reference"),
        ({"HOME": "/c"}, "/c/.cache/finetuning-reference"),
    ],
)
def test_where_it_is_kept(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REFERENCE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert checkpoint.default_cache() == Path(expected)
    monkeypatch.setattr(checkpoint, "_whole", lambda _: True)
    assert checkpoint_folder().parent == Path(expected)
