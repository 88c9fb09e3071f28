"""What a Markdown page shows: its commands, its links, the files and folders that it names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"\.?\w[\w.-]*(/[\w.-]+)*(/|\.(py|md|toml|txt|cff|jsonl|json)|/run)")


def blocks(page: str, *languages: str) -> list[str]:
    """The page's fenced blocks in these languages, or all of them."""
    return [body for kind, body in FENCE.findall(page) if not languages or kind in languages]


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page)


def inline(page: str) -> list[str]:
    """The code within the page's sentences and tables."""
    return INLINE.findall(prose(page))


def commands(page: str) -> Iterator[list[str]]:
    """The words of each `python -m` command and each `tox -e`, in blocks and in sentences.

    In a block, what follows two blanks is an explanation.
    """
    lines = [line for block in blocks(page, "sh", "text", "") for line in block.splitlines()]
    for line in [*(re.split(r"(?<=\S)  ", line.strip())[0] for line in lines), *inline(page)]:
        command = line.removeprefix("$ ").split(" | ")[0]
        if command.startswith(("python -m ", "tox -e ")):
            yield shlex.split(command, comments=True)


def links(page: str) -> list[str]:
    """Where the page's links go, those to other hosts and to its own headings left out."""
    targets = (target.split("#")[0] for target in LINK.findall(prose(page)))
    return [target for target in targets if target and "://" not in target]


def paths(page: str) -> list[str]:
    """What the page calls by the name of a file, or of a folder with a stroke at its end."""
    return [code for code in inline(page) if PATH.fullmatch(code)]


def exists(name: str, root: Path) -> bool:
    """Whether it is there: from the root, or anywhere in a package, by the end of its path."""
    if (root / name).exists():
        return True
    end = Path(name).parts
    folders = [root / "reference", root / "benchmarks", root / "tests"]
    same_name = (path for folder in folders for path in folder.rglob(end[-1]))
    return any(path.parts[-len(end) :] == end for path in same_name)
