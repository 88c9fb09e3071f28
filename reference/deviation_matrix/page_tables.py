"""The page's tables, read back: so that the rows of a few deviations can be put among the others.

    python -m reference deviations --matrix --only softmax-twice

A page takes many minutes for each row, so that its rows are of several days and commits. What is
read is what was written, cell for cell: a row that isn't among the new ones stays as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reference.deviations import CATALOGUE
from reference.errors import InputError

ABOUT, ROWS, ENTRIES = "## What was run", "## Each deviation", "## What each one is"
CONTROLS = "## Without a deviation"
MINUTES = "minutes of training and explaining, summed over all runs"
LEFT = re.compile(r"^### (.*)$", re.MULTILINE)
# A setting has a number of steps of its own, and some rows may all be of one.
STEPS = re.compile(r": \d+ steps of")
ONLY = re.compile(r" --only .*")  # of the command of a page that has some rows alone
CELLS = re.compile(r"(?<!\\)\|")  # what stands between two cells, and not in one
STEP = 3  # a row's place that is empty where its run is no other one


@dataclass(frozen=True)
class Results:
    """What a page's tables hold, each row as its cells.

    Attributes:
        about: What was run: the command, and what holds for all rows.
        minutes: How long all of it took.
        controls: The faithful runs, by setting and loop.
        rows: One for each deviation, by its name.
        left: By its heading, what isn't as it should be: a line for each deviation, by its name.
    """

    about: str
    minutes: float
    controls: dict[tuple[str, str], list[str]]
    rows: dict[str, list[str]]
    left: dict[str, dict[str, str]]


def is_another_run(row: Sequence[str]) -> bool:
    """Whether a deviation's row says that it was another run at its setting."""
    return bool(row[STEP])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first is the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)


def read_page(path: Path) -> Results:
    """What a page holds that `page.page` wrote.

    Raises:
        InputError: It isn't there, or isn't such a page.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}), and the rows of some go into it; give "
            "another page for them alone with --out"
        ) from None
    try:
        *about, minutes = _between(text, ABOUT).splitlines()
        controls, below = _between(text, CONTROLS), _between(text, ROWS)
        return Results(
            about=ONLY.sub("", "\n".join(about)),
            minutes=float(minutes.split()[1]),
            controls={(row[0], row[1]): row for row in _table_rows(controls)},
            rows={row[0].split()[0]: row for row in _table_rows(below)},
            left=_left(below),
        )
    except (ValueError, IndexError):
        raise InputError(
            f"{path}: isn't a page of the matrix; write it anew, without --only"
        ) from None


def with_rows(page: Results, new: Results, path: Path) -> Results:
    """A page with the rows of a few deviations in the place of its own, or added to them.

    Raises:
        InputError: They were made with other versions, another recipe or on another machine.
    """
    for ours, theirs in zip(page.about.splitlines(), new.about.splitlines(), strict=True):
        if STEPS.sub("", ours) != STEPS.sub("", theirs):
            raise InputError(
                f"{path}: has {ours!r}, and these rows {theirs!r}; write the page anew, without "
                "--only, or these alone with --out"
            )
    rows = {**page.rows, **new.rows}
    heads = [head for head in (*page.left, *new.left) if head]
    left = {
        head: {
            **{n: line for n, line in page.left.get(head, {}).items() if n not in new.rows},
            **new.left.get(head, {}),
        }
        for head in dict.fromkeys(heads)
    }
    return Results(
        about=page.about,
        minutes=page.minutes + new.minutes,
        controls={**page.controls, **new.controls},
        rows={name: rows[name] for name in CATALOGUE if name in rows},
        left={head: lines for head, lines in left.items() if lines},
    )


def _between(text: str, head: str) -> str:
    """What stands below a heading, up to the next one of its rank.

    Raises:
        ValueError: There is no such heading.
    """
    start = text.index(f"\n{head}\n") + len(head) + 2
    return text[start:].split("\n## ")[0].strip()


def _table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [CELLS.split(line)[1:-1] for line in lines[2:]]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def _left(text: str) -> dict[str, dict[str, str]]:
    _, *parts = LEFT.split(text)
    lists = zip(parts[::2], parts[1::2], strict=True)
    return {
        head: {line.split()[1].rstrip(":"): line for line in lines.strip().splitlines()}
        for head, lines in lists
    }
