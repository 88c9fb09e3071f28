"""Where a run's ledger is, for whoever gives the run's folder in its place."""

from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.process.bounded_files import check_name


def find_ledger(given: str | Path) -> Path:
    """The file of a ledger that is given by its own path, or by its run's folder.

    Raises:
        InputError: the folder holds several runs; names them. A file that isn't there is an error
            of whoever reads it.
    """
    check_name(given)
    path = Path(given)
    if not path.is_dir():
        return path
    ledger = path / LEDGER_FILE
    folders = sorted(inner.parent for inner in path.glob(f"*/{LEDGER_FILE}"))
    if ledger.exists() or not folders:
        return ledger
    names = ", ".join(folder.name for folder in folders)
    raise InputError(f"{path}: holds the ledgers of {names}; give one of them, as {folders[0]}")
