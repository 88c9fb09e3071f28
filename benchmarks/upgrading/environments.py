"""The second environment of an upgrade: as this one, with some packages in other versions.

It is installed by constraints.txt without the pins of what was asked for. The other pins stay,
torch's above all: a looser request for torch may fetch gigabytes.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from reference import messages
from reference.errors import InputError, RunError, TrainingFailed, WorkerDied
from reference.process.workers import call

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "reference")  # what the wheel is built from
PACKAGES = """
import importlib.metadata as metadata, json
print(json.dumps([[d.metadata["Name"], d.version] for d in metadata.distributions()]))
"""


@dataclass(frozen=True)
class Environment:
    """A Python with its packages, in which this project runs from its sources."""

    name: str
    python: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run its Python with these words, on one thread, in this project's folder."""
        threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        variables = {**os.environ, **threads, **self.variables}
        return call([str(self.python), *words], ROOT, variables)

    def packages(self) -> dict[str, str]:
        """The version of each package; of one that is there twice, the one Python imports.

        Raises:
            WorkerDied: its Python doesn't run.
        """
        done = self.run("-c", PACKAGES)
        if done.returncode:
            raise WorkerDied(f"{self.python}: doesn't run: {last_line(done)}")
        versions: dict[str, str] = {}
        for name, version in json.loads(done.stdout):
            versions.setdefault(canonicalize_name(name), version)
        return versions


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What a process wrote last, of its errors where it wrote any."""
    return messages.last_line(done.stderr.strip() or done.stdout)


def call_failed(where: str, done: "subprocess.CompletedProcess[str]") -> RunError:
    """The error for a process of ours that failed: its exit code says whether input was wrong."""
    message = f"{where}: ended with code {done.returncode}: {last_line(done)}"
    wrong_input = done.returncode == InputError.exit_code
    return InputError(message) if wrong_input else WorkerDied(message)


def read_requirements(words: Sequence[str], installed: Mapping[str, str]) -> dict[str, Requirement]:
    """What is to be upgraded, by package.

    Args:
        words: as on the command line, `NAME==VERSION`.
        installed: this environment's packages.

    Raises:
        InputError: a word is no requirement, or no upgrade of what is installed.
    """
    if not words:
        raise InputError("no requirement was given; give what to upgrade, as transformers==5.24.0")
    wanted: dict[str, Requirement] = {}
    for word in words:
        try:
            requirement = Requirement(word)
        except InvalidRequirement:
            raise InputError(f"{word}: isn't a requirement; write it as NAME==VERSION") from None
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not _holds(requirement.marker):
            raise InputError(f"{word}: is for another machine than this, by its marker; drop it")
        if name in wanted:
            raise InputError(f"{word}: {name} was given twice; leave one")
        if name not in installed:
            raise InputError(
                f"{word}: {name} isn't installed here, so nothing would be upgraded; give a "
                "package that this project runs with (`python -m pip list`)"
            )
        if name == "torch" and not _exact(requirement):
            raise InputError(
                f"{word}: a loose request for torch may fetch gigabytes; give one version, as "
                f"torch=={installed[name]}"
            )
        wanted[name] = requirement
    if all(_exact(r) and r.specifier.contains(installed[n], True) for n, r in wanted.items()):
        raise no_upgrade(wanted, installed)
    return wanted


def _holds(marker: Marker) -> bool:
    try:
        return marker.evaluate()
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


def _exact(requirement: Requirement) -> bool:
    operators = [specifier.operator for specifier in requirement.specifier]
    return operators == ["=="] and "*" not in str(requirement.specifier)


def no_upgrade(wanted: Mapping[str, Requirement], installed: Mapping[str, str]) -> InputError:
    """The error for what is installed already."""
    what = ", ".join(f"{name} {installed[name]}" for name in wanted)
    return InputError(f"needs no upgrade: {what} is installed here; ask for another version")


def lifted(constraints: str, names: Sequence[str]) -> str:
    """The constraints without those on the packages of these names."""
    left = []
    for line in constraints.splitlines():
        text = line.partition("#")[0].strip()
        if not text or canonicalize_name(Requirement(text).name) not in names:
            left.append(line)
    return "\n".join(left) + "\n"


def second_environment(wanted: Mapping[str, Requirement], folder: Path) -> Environment:
    """Install this project with what is wanted into a new folder.

    Args:
        wanted: by package; the pins on these packages are left out.
        folder: that isn't there yet.

    Raises:
        InputError: pip can't install it; with pip's last error.
        TrainingFailed: no virtual environment can be made.
    """
    source, venv, constraints = folder / "source", folder / "venv", folder / "constraints.txt"
    source.mkdir(parents=True)
    for name in SOURCES:  # a copy: building leaves traces where it builds
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source)
    constraints.write_text(lifted(CONSTRAINTS.read_text(encoding="utf8"), list(wanted)))
    # What pip leaves behind when it is stopped lies in the folder too, and goes with it.
    (folder / "tmp").mkdir()
    scratch = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))
    variables = {**os.environ, **scratch}
    made = call([sys.executable, "-m", "venv", str(venv)], folder, variables)
    if made.returncode:
        raise TrainingFailed(f"{venv}: no environment could be made: {last_line(made)}")
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    asked = [str(requirement) for requirement in wanted.values()]
    # First whether there is such a version at all: building and resolving take a minute.
    for words in (
        ["--dry-run", "--no-deps", *asked],
        [str(source), *asked, "-c", str(constraints)],
    ):
        command = [str(python), "-m", "pip", "install", "--no-input", *words]
        done = call(command, folder, variables)
        if done.returncode:
            raise InputError(f"{', '.join(asked)}: {_last_words(done)}")
    return Environment("new", python)


def _last_words(done: "subprocess.CompletedProcess[str]") -> str:
    """pip's last error; of a conflict, the line that names the packages."""
    errors = [line[7:] for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    conflict = [line for line in errors if "conflicting dependencies" in line]
    if conflict:
        return f"{conflict[-1]} Give what it needs beside it, where constraints.txt pins another"
    return f"pip can't install it: {errors[-1] if errors else last_line(done)}"
