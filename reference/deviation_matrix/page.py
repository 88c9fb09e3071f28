"""The matrix as a page of the documentation; every number in it is of a run.

    python -m reference deviations --matrix --out docs/deviations.md

The same results give the same page.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reference.deviation_matrix.detectors import DETECTORS, OURS, Control, Matrix, Row
from reference.deviation_matrix.one_run import chosen
from reference.deviation_matrix.page_tables import (
    ABOUT,
    ENTRIES,
    MINUTES,
    ROWS,
    Results,
    is_another_run,
    markdown_table,
    read_page,
    with_rows,
)
from reference.deviation_matrix.results import make_matrix
from reference.deviations import CATALOGUE, loop_diff
from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import RECIPES
from reference.process.versions import commit
from reference.process.whole_files import write_whole

COLUMNS = (OURS, *(d.name for d in DETECTORS))
HEAD = ["deviation", "row", "setting", "step", "link", "named", *COLUMNS, "seen"]
NAMED, FIRST_ANSWER = 5, 6  # places in a row
PAGE, WORK = Path("docs/deviations.md"), Path("runs/matrix")


def write_matrix(
    recipe: Recipe, only: Sequence[str] | None, out: Path | None, work: Path | None, jobs: int
) -> None:
    """Make the matrix of `only` (None: of all), write its page, and print its counts.

    The rows of some are put into the page of all, unless `out` names another one for them.

    Raises InputError, before anything is trained, for a page that can't be written, or that isn't
    there to take some rows.
    """
    # In the catalogue's order, each once, however they were asked for.
    names = sorted(set(only or CATALOGUE), key=[*CATALOGUE, *(only or ())].index)
    kept = read_page(PAGE) if only and out is None else None
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
    seen = results_of(matrix)
    write_whole(out, page(seen if kept is None else with_rows(kept, seen, out)))
    print(summary(seen))
    print(f"page: {out}")


def results_of(matrix: Matrix) -> Results:
    """What stands in the page of a matrix, as its tables have it."""
    return Results(
        about=_about(matrix),
        minutes=float(str(matrix.about["seconds"])) / 60,
        controls={(c.setting, c.loop): _control(c) for c in matrix.controls},
        rows={row.name: _cells(matrix, row) for row in matrix.rows},
        left={head: texts for head, texts in _left(matrix).items() if texts},
    )


def page(seen: Results) -> str:
    """All of it, as Markdown."""
    parts = [
        "# Deviation by detector",
        "Known ways in which a hand-written loop differs from the recipe, each switched on in the "
        "manual loop by itself: what `diff` and `explain` say of it, and which of the checks that "
        "other projects make of a training loop would have failed. Written by the command below; "
        "with `--only NAME ...` it puts the rows of these in, and leaves the others as they are.",
        ABOUT,
        _about_all(seen),
        "## Who sees how many",
        _counts(seen),
        "## Without a deviation",
        "Faithful runs against the manual loop's: `yes` is a false alarm. With accumulated "
        "gradients the stock Trainer is left out: it is another run for BERT "
        "([transformers #47688](https://github.com/huggingface/transformers/issues/47688)).",
        markdown_table([["setting", "loop", "`diff`", *COLUMNS[1:]], *seen.controls.values()]),
        ROWS,
        "`row` is its place in the catalogue (`python -m reference deviations`), which variants of "
        "one kind share; `setting` what it needs of the recipe to show; `step` and `link` where "
        "`diff` sees it first. `named`: `explain` proves it, by replaying the manual loop until "
        "every link of every step is equal. `yes`: the check fails the run; `-`: it fails a "
        "faithful run of that setting too, and so says nothing; `same`: no other run at this "
        "setting. `seen`: the day of the run, and the commit whose code it is of.",
        markdown_table([HEAD, *seen.rows.values()]),
        *(
            text
            for head, lines in seen.left.items()
            for text in (f"### {head}", "\n".join(lines.values()))
        ),
        ENTRIES,
        *(_entry(name) for name in seen.rows),
    ]
    return "\n\n".join(parts) + "\n"


def _about(matrix: Matrix) -> str:
    """What holds for all rows of a page."""
    about: dict[str, Any] = dict(matrix.about)
    recipe = about["recipe"]
    synthetic = ", which is synthetic" if about["data"].get("synthetic") else ""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    threads = about["num_threads"]
    place = f"{about['device']} ({about['platform']}, {about['cpu_capability']})"
    base = RECIPES[recipe["name"]].to_json()
    changed = [n for n, v in recipe.items() if v != base[n] and n != "device"]
    words = [f"--{n.replace('_', '-')} {recipe[n]}" for n in changed]
    if recipe["name"] != "embedded":
        words.insert(0, f"--recipe {recipe['name']}")
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
        ]
    )


def _about_all(seen: Results) -> str:
    only = "" if list(seen.rows) == list(CATALOGUE) else " --only " + " ".join(seen.rows)
    fence, command, *rest = seen.about.splitlines()
    minutes = f"- {seen.minutes:.0f} {MINUTES}"
    return "\n".join([fence, command + only, *rest, minutes])


def _counts(seen: Results) -> str:
    others = [row for row in seen.rows.values() if is_another_run(row)]
    rows = [["check", "sees", "of", "false alarms", "rule", "from"]]
    of, controls = str(len(others)), len(seen.controls)
    for place, (name, rule, source) in enumerate(
        [
            (OURS, "`diff`: every link of every step equal, bit for bit", "this project"),
            *((d.name, d.rule, d.source) for d in DETECTORS),
        ]
    ):
        sees = sum(row[FIRST_ANSWER + place] == "yes" for row in others)
        alarms = sum(_fails(control, place) for control in seen.controls.values())
        rows.append([name, str(sees), of, f"{alarms} of {controls}", rule, source])
    lines = [
        markdown_table(rows),
        "",
        f"{summary(seen)}. None of the other checks names a cause.",
        "",
        "A loss is the sum of what the loop calls `backward` on in a step, as it would log it. A "
        "check that fails a faithful run of a setting sees nothing at that setting.",
    ]
    return "\n".join(lines)


def _fails(control: Sequence[str], place: int) -> bool:
    """Whether a check fails a faithful run: our own by its verdict, the others say so."""
    return control[2] != "identical" if place == 0 else control[2 + place] == "yes"


def summary(seen: Results) -> str:
    """How many are other runs, how many of them `diff` sees, and how many `explain` names."""
    others = [row for row in seen.rows.values() if is_another_run(row)]
    sees = sum(row[FIRST_ANSWER] == "yes" for row in others)
    named = sum(row[NAMED] == "yes" for row in others)
    also = sum(row[NAMED].startswith("as ") for row in others)
    left = len(others) - named - also
    same = len(seen.rows) - len(others)
    return (
        f"{len(seen.rows)} deviation{'s' * (len(seen.rows) != 1)}, "
        + f"{len(others)} of them another run at their setting"
        + f" ({same} not)" * bool(same)
        + f": {sees} seen, {named} named and proven"
        + f", {also} proven by another name that gives the very same run" * bool(also)
        + f", {left} not explained"
    )


def _control(control: Control) -> list[str]:
    answers = ["yes" if name in control.failed else "no" for name in COLUMNS[1:]]
    return [control.setting, control.loop, control.verdict, *answers]


def _cells(matrix: Matrix, row: Row) -> list[str]:
    start = [row.value, str(CATALOGUE[row.name].row), row.setting]
    seen = f"{str(matrix.about['date'])[:10]} {commit()}"
    if not row.another_run:
        return [*start, "", "", "same", *([""] * len(COLUMNS)), seen]
    known, link = CATALOGUE[row.name].link, row.link or "-"
    if row.link not in (None, known):
        link += f" (known: {known})"
    answers = [_answer(matrix.sees(row, name)) for name in COLUMNS]
    return [*start, str(row.step or "-"), link, _named(row), *answers, seen]


def _answer(sees: bool | None) -> str:
    return "-" if sees is None else "yes" if sees else "no"


def _named(row: Row) -> str:
    if row.named:
        return "yes"
    names = " and ".join(row.explained)
    if row.proven:
        return f"as {names}"
    return f"no; so far {names}" if names else "no"


def _left(matrix: Matrix) -> dict[str, dict[str, str]]:
    """What isn't as it should be, where there is any, by deviation."""
    stopped = {
        r.name: f"- {r.value}: the run stopped: {r.failure}" for r in matrix.rows if r.failure
    }
    left = {
        r.name: f"- {r.value}: {r.left or 'no step to be explained'}"
        for r in matrix.rows
        if r.another_run and not r.proven
    }
    same = {
        r.name: f"- {r.value}: shows: {CATALOGUE[r.name].shows_when}"
        for r in matrix.rows
        if not r.another_run
    }
    return {"Runs that stopped": stopped, "Not explained": left, "The same run here": same}


def _entry(name: str) -> str:
    d = CATALOGUE[name]
    return (
        f"**{chosen(name)}** (row {d.row}, link {d.link}): {d.description}\n"
        "<details><summary>the loop's diff</summary>\n\n"
        f"```diff\n{loop_diff([chosen(name)])}\n```\n\n</details>"
    )
