"""What the pages say is there: commands, options, links, files; and the README is short."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

import reference
from tests.conftest import ROOT
from tests.helpers import pages
from tests.helpers.small import net, train
from tests.helpers.waiting import LIMIT
from tests.torture.families import COUNTS

PAGES = [
    "README.md",
    "docs/own-data.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/check.md",
    "docs/diff-and-explain.md",
    "docs/ledger.md",
    "docs/lockstep.md",
    "docs/seeds.md",
    "docs/several-processes.md",
    "docs/checkpoints.md",
    "tests/README.md",
]
OF_ONE_SCREEN = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md"]
COURSE = "https://huggingface.co/learn/llm-course/chapter3/4"
# What a page names and nobody has to have: a reader's own files, and what a run writes.
OTHERS = {
    "my_loop.py",
    "my_training.py",
    "A.py",
    "B.py",
    "recipe.json",
    "ledger.jsonl",
    "ledger-1.jsonl",
    "checkpoints/step-00000100/",
    "manifest.json",
    "state.json",
} | {*("metrics.json", "verdict.json", "seeds.json", "runs/", "seen.json", "../shared/glue")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@lru_cache
def help_of(*command: str) -> str:
    words = [sys.executable, "-m", *command, "--help"]
    result = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True
    )
    return result.stdout


def options_of(*command: str) -> set[str]:
    """The options that a command's help names."""
    return {*re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", help_of(*command))}


def commands_of_reference() -> set[str]:
    return {*re.findall(r"^ {2,4}([a-z]+)(?:  |$)", help_of("reference"), re.MULTILINE)}


@lru_cache
def options_in(folder: str) -> frozenset[str]:
    """The options that the programs in a folder take; their help would import for seconds."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
    return frozenset(o for s in sources for o in re.findall(r'add_argument\(\s*"(-[\w-]+)"', s))


def faults(words: list[str]) -> Iterator[str]:
    """What a page's command names that isn't there."""
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    given = [word.split("=")[0] for word in words[3:] if re.match(r"--?[a-zA-Z]", word)]
    if words[0] == "tox":
        if f"testenv:{words[2]}" not in tox and words[2] not in tox["tox"]["envlist"].split(", "):
            yield f"no tox environment {words[2]}"
    elif words[2] == "reference":
        yield from _faults_of_reference(words[3:])
    elif words[2] == "tests.torture":
        yield from (f"no family {family}" for family in words[3:4] if family not in COUNTS)
    elif words[2].startswith(("benchmarks.", "tests.")):
        if not (ROOT / f"{words[2].replace('.', '/')}.py").exists():
            yield f"no module {words[2]}"
        folder = words[2].split(".")[0]
        yield from (f"no option {o}" for o in given if o not in options_in(folder))
    elif words[2] == "pytest":
        yield from (f"no option {o}" for o in given if o not in options_of("pytest"))
        markers = {m.split(":")[0] for m in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
        marker = words[words.index("-m", 3) + 1] if "-m" in words[3:] else None
        if marker is not None and marker not in markers:
            yield f"no marker {marker}"
        for path in (w for w in words[3:] if re.match(r"(tests|benchmarks)\b", w)):
            if not (ROOT / path).exists():
                yield f"no file {path}"
    elif words[2] == "pip":
        for extra in re.findall(r"\[([\w,]+)\]", " ".join(words)):
            known = PROJECT["project"]["optional-dependencies"]
            yield from (f"no extra {e}" for e in extra.split(",") if e not in known)
    elif words[2] != "venv":
        yield f"nobody knows {words[2]}"


def _faults_of_reference(words: list[str]) -> Iterator[str]:
    given, command = words, next(iter(words), "")
    if command.startswith("-") or not command:
        command = ""
    elif command not in commands_of_reference():
        yield f"no command {command}"
        return
    elif command == "observe":  # what follows the script is the script's
        script = next((i for i, w in enumerate(words[1:], 1) if not w.startswith("-")), len(words))
        given = words[:script]
    options = options_of("reference", *([command] if command else []))
    for word in given:
        option = word.strip("[]").split("=")[0]
        if re.match(r"--?[a-zA-Z]", option) and option not in options:
            yield f"{command or 'python -m reference'} has no option {option}"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_exists(page: str) -> None:
    found = [f"{' '.join(c)}: {fault}" for c in pages.commands(read(page)) for fault in faults(c)]
    assert not found, "\n".join(found)


def test_the_options_that_sentences_name_exist() -> None:
    """`--data FOLDER` by itself: an option of some command of this project."""
    commands = commands_of_reference()
    assert {"compare", "observe"} < commands
    known = options_of("reference").union(*(options_of("reference", c) for c in commands))
    known |= options_in("benchmarks")
    for page in ("README.md", "docs/diff-and-explain.md"):
        named = [code.split()[0] for code in pages.inline(read(page)) if code.startswith("--")]
        assert {*named} - known == set()
    assert "--data" in {code.split()[0] for code in pages.inline(read("README.md"))}


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("python -m reference compair", "no command compair"),
        ("python -m reference compare --speed 3", "compare has no option --speed"),
        ("python -m reference diff A B --seed 3", "diff has no option --seed"),
        ("python -m reference observe --loud SCRIPT --lr 3", "observe has no option --loud"),
        ("python -m benchmarks.gates", "no module benchmarks.gates"),
        ("python -m benchmarks.gate --loud", "no option --loud"),
        ("python -m tests.helpers.nix", "no module tests.helpers.nix"),
        ("python -m pytest --dice 3", "no option --dice"),
        ("python -m pytest -m fast", "no marker fast"),
        ("python -m pytest tests/loops", "no file tests/loops"),
        ("python -m pip install '.[tests]'", "no extra tests"),
        ("tox -e fast", "no tox environment fast"),
    ],
)
def test_a_command_that_is_not_there_is_seen(command: str, fault: str) -> None:
    page = f"Run `{command}`.\n\n```sh\n{command}\n```\n\n```text\n$ {command}   says so\n```\n"
    found = list(pages.commands(page))
    assert len(found) == 3
    assert [list(faults(words)) for words in found] == [[fault]] * 3


def test_the_readme_shows_every_command() -> None:
    shown = {words[3] for words in pages.commands(read("README.md")) if words[2] == "reference"}
    assert shown == commands_of_reference()


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_are_there(page: str) -> None:
    folder = (ROOT / page).parent
    assert [t for t in pages.links(read(page)) if not (folder / t).exists()] == []
    if page != "CHANGELOG.md":  # which names what is no longer there
        named = [name for name in pages.paths(read(page)) if name not in OTHERS]
        assert [n for n in named if not pages.exists(n, ROOT) and not (folder / n).exists()] == []


def test_a_link_and_a_file_that_are_not_there_are_seen() -> None:
    page = "See [it](docs/nowhere.md), `reference/nowhere/`, `nowhere.py` and `tests/conftest.py`."
    assert pages.links(page) == ["docs/nowhere.md"]
    assert [n for n in pages.paths(page) if not pages.exists(n, ROOT)] == [
        "reference/nowhere/",
        "nowhere.py",
    ]


def test_the_readme_is_for_somebody_in_a_hurry() -> None:
    assert len(pages.prose(read("README.md")).split()) <= 1500
    assert COURSE in read("README.md").split("\n\n")[1]  # the first paragraph
    for page in OF_ONE_SCREEN:
        assert len(read(page).splitlines()) <= 65, page


def test_the_readmes_notebook_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (b for b in pages.blocks(read("README.md"), "python") if "observing" in b)
    monkeypatch.chdir(tmp_path)
    assert example.count("...") == 1
    exec(example.replace("...", "train(net())"), {"train": train, "net": net})
    assert (tmp_path / "runs" / "mine" / "ledger.jsonl").stat().st_size > 0


def test_the_citation_is_of_this_version() -> None:
    """The keys that CFF 1.2.0 requires, and this project's own words."""
    cited = yaml.safe_load(read("CITATION.cff"))
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= cited.keys()
    assert cited["version"] == reference.__version__
    assert cited["license"] == PROJECT["project"]["license"]


def test_a_commit_is_looked_at_as_ci_does() -> None:
    """Each hook's program is one of the lint extra, which `.ci/run` runs, too."""
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    programs = [hook["entry"].split()[0] for hook in repository["hooks"]]
    assert programs == ["ruff", "ruff", "mypy"]
    lint = PROJECT["project"]["optional-dependencies"]["lint"]
    assert {re.split(r"[>=]", need)[0] for need in lint} >= {*programs}


def lacking(folder: Path) -> list[str]:
    """The files of a room that its map, the docstring of its `__init__.py`, doesn't name."""
    room = (folder / "__init__.py").read_text()
    files = sorted(path.name for path in folder.glob("[!_]*.py"))
    return [name for name in files if name not in room]


def test_a_rooms_map_names_each_of_its_files(tmp_path: Path) -> None:
    maps = [path.parent for path in sorted((ROOT / "reference").rglob("__init__.py"))]
    rooms = [room for room in maps if (room / "__init__.py").read_text().count(".py`") >= 3]
    assert len(rooms) >= 15
    assert {room.name: lacking(room) for room in rooms if room.name != "reference"} == {
        room.name: [] for room in rooms if room.name != "reference"
    }
    (tmp_path / "__init__.py").write_text('"""- `one.py`"""')
    for name in ("one.py", "two.py"):
        (tmp_path / name).touch()
    assert lacking(tmp_path) == ["two.py"]
