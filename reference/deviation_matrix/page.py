"""The matrix as a page of the documentation; every number in it is of a run.

    python -m reference deviations --matrix --out docs/deviations.md

The same results give the same page.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reference.deviation_matrix.detectors import DETECTORS, OURS, Control, Matrix, Row
from reference.deviation_matrix.one_run import chosen
from reference.deviation_matrix.results import make_matrix
from reference.deviations import CATALOGUE, loop_diff
from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import RECIPES
from reference.process.whole_files import write_whole

COLUMNS = (OURS, *(d.name for d in DETECTORS))
PAGE, WORK = Path("docs/deviations.md"), Path("runs/matrix")


def write_matrix(
    recipe: Recipe, only: Sequence[str] | None, out: Path | None, work: Path | None, jobs: int
) -> None:
    """Make the matrix of `only` (None: of all), write its page, and print its counts.

    Raises InputError, before anything is trained, for a page that can't be written, and where some
    would be written over the page of all.
    """
    # In the catalogue's order, each once, however they were asked for.
    names = sorted(set(only or CATALOGUE), key=[*CATALOGUE, *(only or ())].index)
    if out is None and only and all(name in CATALOGUE for name in names):
        raise InputError(f"--out: missing; {PAGE} is the page of all, give another one for these")
    out = out or PAGE
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give the page's file with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out}: can't be written ({error.strerror}); give another --out"
        ) from None
    matrix = make_matrix(recipe, names, work or WORK, jobs)
    write_whole(out, page(matrix))
    print(summary(matrix))
    print(f"page: {out}")


def page(matrix: Matrix) -> str:
    """All of it, as Markdown."""
    parts = [
        "# Deviation by detector",
        "Known ways in which a hand-written loop differs from the recipe, each switched on in the "
        "manual loop by itself: what `diff` and `explain` say of it, and which of the checks that "
        "other projects make of a training loop would have failed. Written by the command below.",
        "## What was run",
        _about(matrix),
        "## Who sees how many",
        _counts(matrix),
        "## Without a deviation",
        "Faithful runs against the manual loop's: `yes` is a false alarm. With accumulated "
        "gradients the stock Trainer is left out: it is another run for BERT "
        "([transformers #47688](https://github.com/huggingface/transformers/issues/47688)).",
        _controls(matrix),
        "## Each deviation",
        "`row` is its place in the catalogue (`python -m reference deviations`), which variants of "
        "one kind share; `setting` what it needs of the recipe to show; `step` and `link` where "
        "`diff` sees it first. `named`: `explain` proves it, by replaying the manual loop until "
        "every link of every step is equal. `yes`: the check fails the run; `-`: it fails a "
        "faithful run of that setting too, and so says nothing; `same`: no other run at this "
        "setting.",
        _rows(matrix),
        *_left(matrix),
        "## What each one is",
        *(_entry(row) for row in matrix.rows),
    ]
    return "\n\n".join(parts) + "\n"


def _about(matrix: Matrix) -> str:
    about: dict[str, Any] = dict(matrix.about)
    recipe, base = about["recipe"], RECIPES[about["recipe"]["name"]].to_json()
    changed = [n for n, v in recipe.items() if v != base[n] and n != "device"]
    words = [f"--{n.replace('_', '-')} {recipe[n]}" for n in changed]
    if [row.name for row in matrix.rows] != list(CATALOGUE):
        words.append("--only " + " ".join(row.name for row in matrix.rows))
    if recipe["name"] != "embedded":
        words.insert(0, f"--recipe {recipe['name']}")
    synthetic = ", which is synthetic" if about["data"].get("synthetic") else ""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    threads = about["num_threads"]
    place = f"{about['device']} ({about['platform']}, {about['cpu_capability']})"
    return "\n".join(
        [
            "```sh",
            " ".join(["python -m reference deviations --matrix", *words]),
            "```",
            "",
            f"- recipe `{recipe['name']}`: {about['num_training_steps']} steps of "
            f"{recipe['train_batch_size']}, seed {recipe['seed']}",
            f"- data: {about['data']['source']}{synthetic}; "
            f"checkpoint: {about['checkpoint']['name']}",
            f"- {place}, {threads} thread{'s' * (threads > 1)} a run",
            f"- {versions}",
            f"- {about['date']}; {about['seconds'] / 60:.0f} minutes of training and explaining, "
            "summed over all runs",
        ]
    )


def _counts(matrix: Matrix) -> str:
    others = [row for row in matrix.rows if row.another_run]
    rows = [["check", "sees", "of", "false alarms", "rule", "from"]]
    alarms = {name: sum(name in c.failed for c in matrix.controls) for name in COLUMNS}
    of, controls = str(len(others)), len(matrix.controls)
    for name, rule, source in [
        (OURS, "`diff`: every link of every step equal, bit for bit", "this project"),
        *((d.name, d.rule, d.source) for d in DETECTORS),
    ]:
        sees = sum(bool(matrix.sees(row, name)) for row in others)
        rows.append([name, str(sees), of, f"{alarms[name]} of {controls}", rule, source])
    lines = [
        _table(rows),
        "",
        f"{summary(matrix)}. None of the other checks names a cause.",
        "",
        "A loss is the sum of what the loop calls `backward` on in a step, as it would log it. A "
        "check that fails a faithful run of a setting sees nothing at that setting.",
    ]
    return "\n".join(lines)


def summary(matrix: Matrix) -> str:
    """How many are other runs, how many of them `diff` sees, and how many `explain` names."""
    others = [row for row in matrix.rows if row.another_run]
    seen = sum(bool(matrix.sees(row, OURS)) for row in others)
    named = sum(row.named for row in others)
    also = sum(row.proven and not row.named for row in others)
    left = len(others) - named - also
    same = len(matrix.rows) - len(others)
    return (
        f"{len(matrix.rows)} deviation{'s' * (len(matrix.rows) != 1)}, "
        + f"{len(others)} of them another run at their setting"
        + f" ({same} not)" * bool(same)
        + f": {seen} seen, {named} named and proven"
        + f", {also} proven by another name that gives the very same run" * bool(also)
        + f", {left} not explained"
    )


def _controls(matrix: Matrix) -> str:
    head = ["setting", "loop", "`diff`", *COLUMNS[1:]]
    rows = [[c.setting, c.loop, c.verdict, *_failed(c, COLUMNS[1:])] for c in matrix.controls]
    return _table([head, *rows])


def _failed(run: Control | Row, names: Iterable[str]) -> list[str]:
    return ["yes" if name in run.failed else "no" for name in names]


def _rows(matrix: Matrix) -> str:
    rows = [["deviation", "row", "setting", "step", "link", "named", *COLUMNS]]
    for row in matrix.rows:
        d = CATALOGUE[row.name]
        start = [row.value, str(d.row), row.setting]
        if not row.another_run:
            rows.append([*start, "", "", "same", *([""] * len(COLUMNS))])
            continue
        link = row.link or "-"
        if row.link not in (None, d.link):
            link += f" (known: {d.link})"
        answers = [_answer(matrix.sees(row, name)) for name in COLUMNS]
        rows.append([*start, str(row.step or "-"), link, _named(row), *answers])
    return _table(rows)


def _answer(sees: bool | None) -> str:
    return "-" if sees is None else "yes" if sees else "no"


def _named(row: Row) -> str:
    if row.named:
        return "yes"
    names = " and ".join(row.explained)
    if row.proven:
        return f"as {names}"
    return f"no; so far {names}" if names else "no"


def _left(matrix: Matrix) -> list[str]:
    """What isn't as it should be, where there is any."""
    stopped = [f"- {r.value}: the run stopped: {r.failure}" for r in matrix.rows if r.failure]
    left = [
        f"- {r.value}: {r.left or 'no step to be explained'}"
        for r in matrix.rows
        if r.another_run and not r.proven
    ]
    same = [
        f"- {r.value}: shows: {CATALOGUE[r.name].shows_when}"
        for r in matrix.rows
        if not r.another_run
    ]
    parts = [("Runs that stopped", stopped), ("Not explained", left), ("The same run here", same)]
    return [text for head, lines in parts if lines for text in (f"### {head}", "\n".join(lines))]


def _entry(row: Row) -> str:
    d = CATALOGUE[row.name]
    return (
        f"**{row.value}** (row {d.row}, link {d.link}): {d.description}\n"
        "<details><summary>the loop's diff</summary>\n\n"
        f"```diff\n{loop_diff([chosen(row.name)])}\n```\n\n</details>"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first is the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)
