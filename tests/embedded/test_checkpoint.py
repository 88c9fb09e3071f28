"""The embedded checkpoint: its bytes, and a folder that is whole whatever happens to it."""

import errno
import hashlib
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from reference.embedded import LEARNING_RATE, checkpoint, checkpoint_folder, make_split
from reference.embedded.vocabulary import SPECIAL, train_vocabulary
from reference.errors import InputError

# A change here is a change of the checkpoint: raise CHECKPOINT_VERSION with it. Only files whose
# bytes this project writes are pinned; the others are as the installed libraries write them.
PINNED = {
    "model.safetensors": "667a1f7c14748ae94bcf13f6985351c3f6c71704a4abed532ef25506df316a13",
    "vocab.txt": "0de41e79949010857a07e761ea3a90e4092f8b8915a22a0b6b03bed289b872b0",
}


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return checkpoint._contents()


@pytest.fixture
def folder(tmp_path: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole checkpoint of this test's own; the bytes are computed once for all tests."""
    monkeypatch.setattr(checkpoint, "_contents", lambda: dict(contents))
    return checkpoint_folder(tmp_path / "cache")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_bytes(contents: dict[str, bytes]) -> None:
    assert checkpoint.CHECKPOINT_VERSION == 1
    assert {name: hashlib.sha256(contents[name]).hexdigest() for name in PINNED} == PINNED


def test_bytes_in_another_process_with_another_hash_seed(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    """And on four threads; and without a word on stdout or stderr."""
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(4);"
        "from reference.embedded import checkpoint_folder; checkpoint_folder(Path(sys.argv[1]))"
    )
    root = str(Path(__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "17", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout + result.stderr == ""
    (made,) = tmp_path.iterdir()
    assert {name: (made / name).read_bytes() for name in contents} == contents


def test_building_is_fast() -> None:
    start = time.process_time()
    checkpoint._contents()
    assert time.process_time() - start < 3.0  # seconds; 0.3 on an idle core


def test_vocabulary(contents: dict[str, bytes]) -> None:
    tokens = contents["vocab.txt"].decode().splitlines()
    assert tokens[:5] == list(SPECIAL)
    assert len(tokens) == len(set(tokens)) == 2000
    assert any(token.startswith("##") and len(token) > 4 for token in tokens)
    assert set("abcdefghijklmnopqrstuvwxyz0123456789!?;") <= set(tokens)
    texts = list(checkpoint._training_texts())
    assert train_vocabulary(texts) == train_vocabulary(reversed(texts)) == tokens


def test_it_loads_as_a_pretrained_base_does(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, output_loading_info=True
    )
    assert sorted(info["missing_keys"]) == ["classifier.bias", "classifier.weight"]
    assert not info["unexpected_keys"] and not info["mismatched_keys"]
    assert model.config.vocab_size == len(tokenizer) == 2000
    assert model.config.max_position_embeddings == tokenizer.model_max_length == 512
    batch = tokenizer("The PIE 's crust", "the pie", return_tensors="pt")
    assert list(batch) == ["input_ids", "token_type_ids", "attention_mask"]
    words = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    assert words[0] == "[CLS]" and words.count("[SEP]") == 2 and words[1] == "the"
    assert "[UNK]" not in words
    assert model(**batch).logits.shape == (1, 2)


def test_the_first_layer_attends_to_equal_words_of_the_other_sentence(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    pair = make_split("mrpc", "validation")
    row = pair["label"].index(1)
    batch = tokenizer(pair["sentence1"][row], pair["sentence2"][row], return_tensors="pt")
    attention = model.eval()(**batch, output_attentions=True).attentions[0][0, 0]
    ids, segments = batch["input_ids"][0], batch["token_type_ids"][0]
    counterpart = (ids[:, None] == ids) & (segments[:, None] != segments)
    has = counterpart.any(1)
    assert has.sum() > 10
    assert (attention * counterpart).sum(1)[has].mean() > 0.5


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    def states() -> list[Any]:
        return [
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        ]

    before = states()
    checkpoint_folder(tmp_path)
    assert states() == before


# --- The folder ------------------------------------------------------------------------------


def test_a_whole_folder_is_not_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_make", lambda _: pytest.fail("made again"))
    assert checkpoint_folder(folder.parent) == folder
    assert sorted(_bytes(folder)) == sorted([*checkpoint.FILES, checkpoint.MANIFEST])
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "flipped": _flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*checkpoint.FILES, checkpoint.MANIFEST])
def test_damage_is_mended(folder: Path, name: str, damage: str) -> None:
    whole = _bytes(folder)
    DAMAGES[damage](folder / name)
    assert _bytes(folder) != whole
    assert checkpoint_folder(folder.parent) == folder
    assert _bytes(folder) == whole
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("manifest", ["[]", "null", '{"config.json": 1}', "[" * 100_000, "\xff"])
def test_a_manifest_of_nonsense_is_mended(folder: Path, manifest: str) -> None:
    whole = _bytes(folder)
    (folder / checkpoint.MANIFEST).write_text(manifest, encoding="latin-1")
    checkpoint_folder(folder.parent)
    assert _bytes(folder) == whole


def test_changed_source_is_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda p: read(p) + (b"#" if p.name == "weights.py" else b"")
    )
    assert checkpoint_folder(folder.parent) != folder


def _build(cache: Path, barrier: Any, results: Any) -> None:
    barrier.wait()
    made = checkpoint_folder(cache)
    results.put((str(made), checkpoint._whole(made)))


def _race(cache: Path, builders: int = 2) -> list[tuple[str, bool]]:
    # Forked: the libraries are imported once, and the builders start at the same moment.
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(builders), context.Queue()
    processes = [
        context.Process(target=_build, args=(cache, barrier, results)) for _ in range(builders)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return found


def test_two_builders_at_once(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "shared"
    for _ in range(5):
        found = _race(cache)
        assert found == [(str(cache / folder.name), True)] * 2
        assert [path.name for path in cache.iterdir()] == [folder.name]
        for path in (cache / folder.name).iterdir():
            path.unlink()
        (cache / folder.name).rmdir()


def test_two_menders_at_once(folder: Path) -> None:
    whole = _bytes(folder)
    for name in checkpoint.FILES:
        _flip(folder / name)
        assert _race(folder.parent) == [(str(folder), True)] * 2
        assert _bytes(folder) == whole


def test_a_file_in_the_way(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be kept there .*REFERENCE_CACHE"):
        checkpoint_folder(tmp_path / "file")
    other = tmp_path / "other"
    other.mkdir()
    (other / folder.name).touch()
    with pytest.raises(InputError, match="can't be kept there"):
        checkpoint_folder(other)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_folder(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "locked"
    cache.mkdir(mode=0o500)
    with pytest.raises(InputError, match="Permission denied.*REFERENCE_CACHE"):
        checkpoint_folder(cache)


def test_a_read_only_file_system(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(InputError, match="Read-only file system.*REFERENCE_CACHE"):
        checkpoint_folder(tmp_path / "new")
    assert checkpoint_folder(folder.parent) == folder  # a whole one there can be used


@pytest.mark.parametrize("full_at", [*checkpoint.FILES, checkpoint.MANIFEST])
def test_a_full_disk_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2] if path.name == full_at else data)
        if path.name == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    cache = tmp_path / "full"
    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(InputError, match="No space left on device.*make room"):
        checkpoint_folder(cache)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    assert checkpoint._whole(checkpoint_folder(cache))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"REFERENCE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"REFERENCE_CACHE": "", "XDG_CACHE_HOME": "/b"}, "/b/finetuning-reference"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/c"}, "/c/.cache/finetuning-reference"),
        ({"HOME": "/c"}, "/c/.cache/finetuning-reference"),
    ],
)
def test_where_it_is_kept(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REFERENCE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert checkpoint.default_cache() == Path(expected)
    monkeypatch.setattr(checkpoint, "_whole", lambda _: True)
    assert checkpoint_folder().parent == Path(expected)


# --- It learns -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("task", "least"), [("mrpc", 0.85), ("sst2", 0.85)])
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_it_learns(folder: Path, task: str, least: float, seed: int) -> None:
    """Three epochs of batches of 8 with a plain loop: 15 to 30 s each on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert _train(folder, task, seed) >= least
    finally:
        torch.set_num_threads(threads)


def _train(folder: Path, task: str, seed: int) -> float:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).train()
    texts = ("sentence1", "sentence2") if task == "mrpc" else ("sentence",)

    def batch(rows: dict[str, Any], picked: list[int]) -> Any:
        columns = [[rows[name][i] for i in picked] for name in texts]
        return tokenizer(*columns, padding=True, return_tensors="pt")

    train, validation = make_split(task, "train"), make_split(task, "validation")
    total = 3 * -(-len(train["label"]) // 8)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, weight_decay=0.0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 - done / total)
    for _ in range(3):
        for picked in torch.randperm(len(train["label"])).split(8):
            labels = torch.tensor([train["label"][i] for i in picked])
            model(**batch(train, picked.tolist()), labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        rows = range(len(validation["label"]))
        found = model(**batch(validation, list(rows))).logits.argmax(-1)
    return float((found == torch.tensor(validation["label"])).float().mean())
