"""Where a run's ledger is, for whoever gives the run's folder in its place."""

import re
from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.process.bounded_files import check_name

OF_RANK = re.compile(r"ledger-([1-9][0-9]{0,8})\.jsonl")  # as `observe` names the other ranks'


def find_ledger(given: str | Path) -> Path:
    """The file of a ledger that is given by its own path, or by its run's folder.

    Raises:
        InputError: the folder holds several runs, or a run of several processes; names them. A
            file that isn't there is an error of whoever reads it.
    """
    ledgers = find_ledgers(given)
    if len(ledgers) > 1:
        ranks = ", ".join(map(str, ledgers))
        first = next(iter(ledgers.values()))
        raise InputError(f"{given}: holds the ledgers of ranks {ranks}; give one, as {first}")
    return next(iter(ledgers.values()))


def find_ledgers(given: str | Path) -> dict[int, Path]:
    """Each rank's ledger, in the order of the ranks: those in a run's folder, or the one given.

    Raises:
        InputError: the folder holds several runs; names them.
    """
    check_name(given)
    path = Path(given)
    if not path.is_dir():
        return {rank_of(path): path}
    others = {rank_of(each): each for each in path.glob("ledger-*.jsonl")}
    others.pop(0, None)  # a file of another name
    first = path / LEDGER_FILE
    if others:
        return {**({0: first} if first.exists() else {}), **dict(sorted(others.items()))}
    return {0: _only_ledger(path)}


def rank_of(ledger: Path) -> int:
    """The rank that a ledger is of, by its name."""
    named = OF_RANK.fullmatch(ledger.name)
    return int(named[1]) if named else 0


def _only_ledger(path: Path) -> Path:
    ledger = path / LEDGER_FILE
    folders = sorted(inner.parent for inner in path.glob(f"*/{LEDGER_FILE}"))
    if ledger.exists() or not folders:
        return ledger
    names = ", ".join(folder.name for folder in folders)
    raise InputError(f"{path}: holds the ledgers of {names}; give one of them, as {folders[0]}")
