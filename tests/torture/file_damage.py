"""Damage to a file's bytes and lines, and to what it is: a pipe, a link without an end, a folder.

Each function that damages takes what is to be damaged and a generator of numbers, and says in
words what it did, so that a report can.
"""

import gzip
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

Damaged = tuple[bytes, str]

MARKS = {"utf-8": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
BAD_UTF8 = (b"\xff", b"\xc3", b"\xe2\x28\xa1", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80")
LONG = 4_000_000
MOST = 1 << 24  # bytes of a file that is damaged once more


def damage_bytes(content: bytes, rng: Random) -> Damaged:
    """A file's bytes with one thing done to them."""
    return rng.choice(BYTES)(content, rng)


def damage_lines(content: bytes, rng: Random) -> Damaged:
    """A text's lines swapped, doubled, taken out or torn."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return damage_bytes(content, rng)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.choice(("swapped", "doubled", "removed", "moved", "joined", "torn", "reversed"))
    if what == "swapped":
        lines[i], lines[j] = lines[j], lines[i]
    elif what == "doubled":
        lines.insert(j, lines[i])
    elif what == "removed":
        del lines[min(i, j) : max(i, j) + 1 if rng.random() < 0.3 else min(i, j) + 1]
    elif what == "moved":
        lines.insert(j, lines.pop(i))
    elif what == "joined":
        lines[i] = lines[i].rstrip(b"\r\n")
    elif what == "torn":
        at = rng.randrange(len(lines[i]))
        lines[i] = lines[i][:at] + b"\n" + lines[i][at:]
    else:
        lines.reverse()
    return b"".join(lines), f"lines {what}: {i + 1}, {j + 1}"


def _place(content: bytes, rng: Random) -> int:
    return rng.randrange(len(content)) if content else 0


def _flip(content: bytes, rng: Random) -> Damaged:
    changed, places = bytearray(content), []
    for _ in range(rng.choice((1, 1, 1, 2, 8, 100)) if content else 0):
        place = _place(content, rng)
        changed[place] ^= 1 << rng.randrange(8)
        places.append(place)
    return bytes(changed), f"bits flipped in {places[:4]}"


def _overwrite(content: bytes, rng: Random) -> Damaged:
    place = _place(content, rng)
    length = rng.choice((1, 1, 2, 4, 8, 64, 512, 4096))
    put = rng.choice((b"\0" * length, b"\xff" * length, rng.randbytes(length)))
    put = put[: len(content) - place]
    return content[:place] + put + content[place + len(put) :], f"{len(put)} bytes at {place}"


def _insert(content: bytes, rng: Random) -> Damaged:
    place = _place(content, rng)
    put = rng.choice((*BAD_UTF8, b"\0", b"\n", b"\r", b"\t", b'"', b",", b"\x1b[2J", b"\x85", b" "))
    return content[:place] + put + content[place:], f"{put!r} put in at {place}"


def _take_out(content: bytes, rng: Random) -> Damaged:
    place, length = _place(content, rng), rng.choice((1, 1, 2, 8, 100, 1000))
    return content[:place] + content[place + length :], f"{length} bytes out at {place}"


def _cut(content: bytes, rng: Random) -> Damaged:
    place = rng.choice((0, 1, 8, len(content) - 1, _place(content, rng), _place(content, rng)))
    return content[: max(0, place)], f"cut to {place} bytes"


def _append(content: bytes, rng: Random) -> Damaged:
    more = rng.choice((b"\n", b"\n\n", b" ", b"x", b"x\n", b"\0" * 4096, b"{}\n", b"{}", content))
    return content + more, f"{len(more)} bytes appended, {more[:8]!r}"


def _prepend(content: bytes, rng: Random) -> Damaged:
    more = rng.choice((*MARKS.values(), b"\n", b" ", b"#!/bin/sh\n", b"\0", b"# x\n", content))
    return more + content, f"{more[:8]!r} prepended"


def _encode(content: bytes, rng: Random) -> Damaged:
    name = rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp1252"))
    return content.decode("latin-1").encode(name, "replace"), f"encoded as {name}"


def _line_ends(content: bytes, rng: Random) -> Damaged:
    end = rng.choice((b"\r\n", b"\r", b"", b"\n\n", b"\x85", b"\xe2\x80\xa8", b"\0"))
    return content.replace(b"\n", end), f"lines end in {end!r}"


def _other_file(content: bytes, rng: Random) -> Damaged:
    other: Callable[[], bytes] = rng.choice(
        (
            lambda: b"",
            lambda: b"\n",
            lambda: b"\0" * 100,
            lambda: gzip.compress(content, mtime=0),
            lambda: rng.randbytes(1000),
            lambda: b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x8c\x06system\x93.",
            lambda: b"<!doctype html><title>404</title>\n",
            lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            lambda: b"x" * LONG,
            lambda: b"[" * LONG,
            lambda: b"\n" * 100_000,
        )
    )
    put = other()
    return put, f"another file, {put[:16]!r}, {len(put)} bytes"


def _swap_blocks(content: bytes, rng: Random) -> Damaged:
    a, b, c = sorted(_place(content, rng) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:], f"blocks at {a}, {b}, {c}"


BYTES = (
    *(_flip, _flip, _flip, _overwrite, _overwrite, _insert, _insert, _take_out, _cut, _cut),
    *(_append, _prepend, _encode, _line_ends, _other_file, _swap_blocks),
)


def content_of(path: Path) -> bytes:
    """What is in a file that is to be damaged, perhaps for the second time.

    Raises:
        OSError: it is no file any more, or none that can be read, or one without an end.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST:
        raise OSError(f"{path}: damaged before")
    return path.read_bytes()


def damage_file(path: Path, rng: Random) -> str:
    """Put something else in a file's place. Returns what, in words."""
    content = content_of(path)
    path.unlink()
    what = rng.choice(sorted(KINDS))
    KINDS[what](path, content)
    return f"{path.name} is {what}"


def _socket(path: Path, _content: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)  # a socket's path may have 108 letters only
        try:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


def _sparse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.truncate(path, 1 << 40)


def _unreadable(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0)


def _folder(path: Path, _content: bytes) -> None:
    path.mkdir()


def _full_folder(path: Path, content: bytes) -> None:
    path.mkdir()
    (path / path.name).write_bytes(content)


def _elsewhere(path: Path, content: bytes) -> None:
    """The same file, at the end of a link: no damage at all."""
    target = path.with_name(f"{path.name}.target")
    target.write_bytes(content)
    path.symlink_to(target)


KINDS: dict[str, Callable[[Path, bytes], object]] = {
    "gone": lambda path, _: None,
    "a pipe": lambda path, _: os.mkfifo(path),
    "a link to /dev/zero": lambda path, _: path.symlink_to("/dev/zero"),
    "a link to /dev/null": lambda path, _: path.symlink_to("/dev/null"),
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "a link to nothing": lambda path, _: path.symlink_to("nothing"),
    "a link to memory": lambda path, _: path.symlink_to("/proc/self/mem"),
    "a socket": _socket,
    "a terabyte of nothing": _sparse,
    "unreadable": _unreadable,
    "a folder": _folder,
    "a folder with a file": _full_folder,
    "a link to what it was": _elsewhere,
}

# Arguments in a file's place: names that no file has, and some that one has.
NAMES = (
    *("", ".", "..", "/", "/dev/zero", "/dev/null", "/dev/stdin", "/dev/full", "/proc/self/mem"),
    *("x" * 300, "x/" * 3000, "a\0b", "\udc80", "nix\n", "\u202e", "-", "~", "*", "é" * 200),
    *("file:///etc/passwd", "https://127.0.0.1:9/x", "\\\\host\\share", "con", "{}", "a b"),
)


def copy(source: Path, target: Path) -> Path:
    """A copy of a file or of a folder, in whose place nothing may be."""
    if source.is_dir():
        return Path(shutil.copytree(source, target, symlinks=True))
    return Path(shutil.copyfile(source, target))
