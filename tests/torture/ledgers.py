"""Damaged ledgers, given to `diff`: never `identical` to what they were, and refused by row."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import torch
from torch import nn
from torch.optim import AdamW

from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE, Writer, encode
from reference.observe.observer import Observer
from tests.torture.file_damage import (
    MOST,
    NAMES,
    content_of,
    copy,
    damage_bytes,
    damage_file,
    damage_lines,
)
from tests.torture.json_damage import damage_json, token
from tests.torture.judge import Case, Outcome

# What `identical` says beside it where it can't know whether a ledger was edited.
LOOSE = ("schema 2 has no seal",)

Maker = Callable[[Random, Path], Case]


def _train(path: Path, steps: int = 3, begin: int = 0, **header: object) -> None:
    """A ledger with all kinds of records: buffers, two models, a clip, an evaluation, scores."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    teacher, criterion = nn.Linear(4, 2), nn.CrossEntropyLoss()
    optimizer = AdamW(body.parameters(), 0.01)
    observer = None
    for step in range(begin + steps):
        if step == begin:
            observer = Observer(Writer(path, dict(header)))
            observer.__enter__()
        inputs = torch.randn(5, 4)
        optimizer.zero_grad()
        with torch.no_grad():
            labels = teacher(inputs).argmax(-1)
        criterion(body(inputs), labels).backward()
        nn.utils.clip_grad_norm_(body.parameters(), 0.5)
        optimizer.step()
    assert observer is not None
    body.eval()
    with torch.no_grad():
        criterion(body(torch.randn(7, 4)), torch.randint(0, 2, (7,)))
    observer.add_scores({"accuracy": 0.5})
    observer.__exit__(None, None, None)


def _older(path: Path, whole: Path) -> None:
    """The same ledger as the schema before wrote it: without a seal."""
    ledger = read_ledger(whole)
    header = {**ledger.header, "schema": 2}
    records = [header, *(item.record for item in ledger.items)]
    path.write_bytes(
        b"".join(encode({k: v for k, v in record.items() if k != "seal"}) for record in records)
    )


def prepare(folder: Path) -> Maker:
    """Ledgers, whole ones, to be damaged."""
    _train(folder / "whole.jsonl")
    _train(folder / "resumed.jsonl", 2, begin=1)
    _older(folder / "older.jsonl", folder / "whole.jsonl")
    for rank in (0, 1):
        (folder / "ranks").mkdir(exist_ok=True)
        name = f"ledger-{rank}.jsonl" if rank else LEDGER_FILE
        _train(folder / "ranks" / name, 2, rank=rank, world_size=2)
    return partial(_make, folder)


def _make(folder: Path, rng: Random, work: Path) -> Case:
    name = rng.choice(("whole.jsonl", "whole.jsonl", "older.jsonl", "resumed.jsonl", "ranks"))
    whole = folder / name
    if rng.random() < 0.02:
        wrong = rng.choice(NAMES)
        words = ["diff", *_in_any_order(rng, str(whole), wrong)]
        return Case(words, f"named {wrong[:40]!r}", verdict=True, judge=_not_identical)
    target = copy(whole, work / name)
    file = target / rng.choice((LEDGER_FILE, "ledger-1.jsonl")) if name == "ranks" else target
    before = file.read_bytes()
    damage = "; ".join(_damage(file, rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    options = _options(rng, name)
    other = folder / "whole.jsonl" if name == "resumed.jsonl" else whole
    words = [
        "diff",
        *_in_any_order(rng, str(other), str(target)),
        *(o or str(other) for o in options),
    ]
    after = _readable(file)
    same = after is not None and _meaning(after) == _meaning(before)
    return Case(
        words,
        f"{name}: {damage}",
        places=(str(target), "--offset"),
        verdict=True,
        judge=_any_verdict if same else _not_identical,
    )


def _in_any_order(rng: Random, a: str, b: str) -> tuple[str, str]:
    return (a, b) if rng.random() < 0.7 else (b, a)


def _options(rng: Random, name: str) -> list[str]:
    """Options for `diff`; an empty word stands for the whole ledger."""
    chance = rng.random()
    if chance < 0.1 and name != "older.jsonl":
        return ["--envelope", "", ""]
    if chance < 0.15:
        return ["--offset", rng.choice(("0", "1", "-1", "5", str(2**63)))]
    return ["--json"] if chance < 0.4 else []


def _readable(file: Path) -> bytes | None:
    """What `diff` finds there, at the end of a link too; None where it's no ledger any more."""
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= MOST else None
    except OSError:  # a link to this process's memory
        return None


def _damage(file: Path, rng: Random) -> str:
    try:
        content = content_of(file)
    except OSError:
        return "and nothing more"
    chance = rng.random()
    if chance < 0.02:
        return damage_file(file, rng)
    if chance < 0.25:
        content, what = damage_bytes(content, rng)
    elif chance < 0.45:
        content, what = damage_lines(content, rng)
    elif chance < 0.5:
        content, what = _other_schema(content, rng)
    else:
        content, what = _one_record(content, rng)
    file.write_bytes(content)
    return what


def _one_record(content: bytes, rng: Random) -> tuple[bytes, str]:
    lines = content.splitlines(keepends=True)
    row = rng.randrange(len(lines)) if lines else 0
    try:
        put, what = damage_json(lines[row].decode(), rng)
    except (IndexError, ValueError, RecursionError):  # it was damaged before
        return damage_bytes(content, rng)
    lines[row] = put.encode(errors="surrogatepass") + b"\n"
    return b"".join(lines), f"row {row + 1}: {what}"


def _other_schema(content: bytes, rng: Random) -> tuple[bytes, str]:
    schema = rng.choice(("2", "4", "5", "6", "1", "0", "3", "2.0", "3.0", "true", token(rng)))
    for now in (b'"schema":5', b'"schema":2'):
        content = content.replace(now, b'"schema":' + schema.encode(errors="replace"), 1)
    return content, f"schema {schema[:20]}"


def _meaning(content: bytes) -> list[str] | None:
    """What a ledger says: each line's JSON in one spelling; None where one isn't JSON."""
    try:
        *lines, rest = content.decode().split("\n")
        return None if rest else [json.dumps(json.loads(line), sort_keys=True) for line in lines]
    except (ValueError, RecursionError):
        return None


def _any_verdict(outcome: Outcome) -> Iterator[str]:
    if outcome.code == 2 and not (outcome.err or _verdict(outcome) == "incomparable"):
        yield "exit code 2 and no verdict"


def _not_identical(outcome: Outcome) -> Iterator[str]:
    wanted = {0: "identical", 1: "diverged", 2: "incomparable"}
    if outcome.code == 0 and not any(words in outcome.out for words in LOOSE):
        yield "identical to what it was before"
    elif not outcome.err and _verdict(outcome) != wanted.get(outcome.code):
        yield f"exit code {outcome.code} and {outcome.out[:60]!r}"


def _verdict(outcome: Outcome) -> str:
    if outcome.out.startswith("{"):
        return str(json.loads(outcome.out)["verdict"])
    return outcome.out.split(":", 1)[0].split(",", 1)[0].split()[0]
