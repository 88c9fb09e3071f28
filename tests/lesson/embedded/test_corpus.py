"""The synthetic corpus: its bytes, its shape, and that a pair must be compared to be told."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from transformers import AutoTokenizer

from reference.errors import InputError
from reference.lesson.embedded import (
    EMBEDDED_TASKS,
    checkpoint_folder,
    corpus,
    corpus_digest,
    make_split,
)
from reference.lesson.embedded import words as word_lists
from reference.lesson.embedded.draw import Draw
from reference.lesson.embedded.pairs import make_pair

# A change here is a change of the corpus: raise CORPUS_VERSION with it.
DIGESTS = {
    "mrpc": "822eeb4f8d5c66fabbffd6e716379e3720670f48fe7e3c6fb8cbf8c38e86da06",
    "sst2": "86de42d4a0720568f7e600968f83d6e3513b194f05324981952951e280469026",
}
MAJORITY = (279 + 1147) / (408 + 1725)  # of validation and test together


@pytest.fixture(scope="module")
def mrpc() -> dict[str, dict[str, Any]]:
    return {split: make_split("mrpc", split) for split in corpus.SPLITS}


@pytest.mark.parametrize("task", EMBEDDED_TASKS)
def test_digest(task: str) -> None:
    assert corpus.CORPUS_VERSION == 1
    assert corpus_digest(task) == DIGESTS[task]


def test_digest_in_another_process_with_another_hash_seed() -> None:
    code = "from reference.lesson.embedded import corpus_digest as d; print(d('mrpc'), d('sst2'))"
    for seed in ("0", "17"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert out.split() == [DIGESTS["mrpc"], DIGESTS["sst2"]]


@pytest.mark.parametrize(
    ("task", "split", "rows", "positive"),
    [
        ("mrpc", "train", 3668, 2474),  # GLUE's own
        ("mrpc", "validation", 408, 279),
        ("mrpc", "test", 1725, 1147),
        ("sst2", "train", 6735, 3757),  # a tenth of GLUE's
        ("sst2", "validation", 87, 49),
        ("sst2", "test", 182, 102),
    ],
)
def test_shape(task: str, split: str, rows: int, positive: int) -> None:
    columns = make_split(task, split)
    texts = ["sentence1", "sentence2"] if task == "mrpc" else ["sentence"]
    assert list(columns) == [*texts, "label", "idx"]
    assert {len(column) for column in columns.values()} == {rows}
    assert columns["idx"] == list(range(rows))
    assert sorted(set(columns["label"])) == [0, 1]
    assert sum(map(int, columns["label"])) == positive
    for name in texts:
        assert all(str(text).isascii() and str(text).strip() for text in columns[name])


def test_a_split_belongs_to_its_caller() -> None:
    make_split("mrpc", "test")["label"].clear()
    assert len(make_split("mrpc", "test")["label"]) == 1725


@pytest.mark.parametrize(("task", "split"), [("cola", "train"), ("mrpc", "dev"), ("", "")])
def test_unknown(task: str, split: str) -> None:
    with pytest.raises(InputError, match="choose one of"):
        make_split(task, split)


def test_no_word_stands_twice_in_a_list() -> None:
    for name in ("NOUNS", "VERBS", "ADJECTIVES", "ADVERBS", "RISES", "TITLES"):
        words = [word for group in getattr(word_lists, name) for word in group]
        assert len(words) == len(set(words)), name
    assert not set(word_lists.GOOD) & set(word_lists.BAD)


def test_it_looks_like_mrpc(mrpc: dict[str, dict[str, Any]]) -> None:
    sentences = mrpc["train"]["sentence1"] + mrpc["train"]["sentence2"]
    for mark in ('"', ",", " 's ", "$", "  "):
        share = sum(mark in sentence for sentence in sentences) / len(sentences)
        assert 0.01 < share < 0.99, mark
    assert 0.5 < sum(any(map(str.isdigit, s)) for s in sentences) / len(sentences) < 0.9
    for rows in mrpc.values():
        assert not any(map(str.__eq__, rows["sentence1"], rows["sentence2"]))
    assert not set(mrpc["train"]["sentence1"]) & set(mrpc["validation"]["sentence1"])


def test_sst2_ends_in_a_space_and_negates() -> None:
    sentences = [str(sentence) for sentence in make_split("sst2", "train")["sentence"]]
    assert all(s == s.lower() and s.endswith(" ") and not s.endswith("  ") for s in sentences)
    assert 0.1 < sum(" not " in f" {s}" or " never " in f" {s}" for s in sentences) / 6735 < 0.4


def test_token_lengths(mrpc: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """MRPC's under BERT's tokenizer: mean 53 tokens, 103 the longest; SST-2's mean 13."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint_folder(tmp_path))
    pairs = tokenizer(mrpc["train"]["sentence1"], mrpc["train"]["sentence2"])["input_ids"]
    lengths = [len(ids) for ids in pairs]
    assert 52 <= np.mean(lengths) <= 55
    assert 100 <= max(lengths) <= 105
    assert not any(tokenizer.unk_token_id in ids for ids in pairs)
    singles = tokenizer(make_split("sst2", "train")["sentence"])["input_ids"]
    assert 12 <= np.mean([len(ids) for ids in singles]) <= 14


# --- Nothing but a comparison tells the labels apart -----------------------------------------


def _accuracy(mrpc: dict[str, dict[str, Any]], vectorizer: Any, columns: tuple[str, ...]) -> float:
    """The best of a linear model under weak, middling and strong regularisation.

    On validation and test together: 2,133 pairs, so that 0.01 is one standard deviation.
    """

    def texts(*splits: str) -> list[str]:
        return [
            " ".join(row)
            for split in splits
            for row in zip(*(mrpc[split][name] for name in columns), strict=True)
        ]

    train = vectorizer.fit_transform(texts("train"))
    test = vectorizer.transform(texts("validation", "test"))
    truth = mrpc["validation"]["label"] + mrpc["test"]["label"]
    models = [LogisticRegression(C=c, max_iter=1000) for c in (0.003, 0.03, 0.3)]
    return max(model.fit(train, mrpc["train"]["label"]).score(test, truth) for model in models)


@pytest.mark.parametrize("columns", [("sentence1",), ("sentence2",), ("sentence1", "sentence2")])
@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_a_linear_model_of_the_words_stays_at_the_majority(
    mrpc: dict[str, dict[str, Any]], kind: Any, columns: tuple[str, ...]
) -> None:
    assert _accuracy(mrpc, kind(token_pattern=r"\S+"), columns) < MAJORITY + 0.015


def test_which_words_occur_tells_little(mrpc: dict[str, dict[str, Any]]) -> None:
    """A paraphrase has fewer different words than two stories: 0.72 at most can be had from that.

    It can't be had away with: words and lengths as in the other label, and more of them common,
    leaves fewer different ones. The corpus hides it in pairs of unlike richness.
    """
    binary = CountVectorizer(token_pattern=r"\S+", binary=True)
    assert _accuracy(mrpc, binary, ("sentence1", "sentence2")) < 0.73


SURFACE = {
    "lengths": lambda a, b: [len(a), len(b), len(a) - len(b), abs(len(a) - len(b))],
    "words": lambda a, b: [a.count(" "), b.count(" "), abs(a.count(" ") - b.count(" "))],
    "digits": lambda a, b: [sum(map(str.isdigit, a)), sum(map(str.isdigit, b))],
    "quotes": lambda a, b: [a.count('"'), b.count('"')],
    "commas": lambda a, b: [a.count(","), b.count(",")],
    "capitals": lambda a, b: [sum(map(str.isupper, a)), sum(map(str.isupper, b))],
}


@pytest.fixture(scope="module")
def many() -> tuple[list[tuple[str, str]], Any]:
    """12,000 further pairs: four times as many to learn from as a run has."""
    draw = Draw(7)
    labels = np.array([int(draw.chance(MAJORITY)) for _ in range(12_000)])
    return [make_pair(draw, label) for label in labels], labels


def _surface(pairs: list[tuple[str, str]], labels: Any, features: Any) -> float:
    x = np.array([features(*pair) for pair in pairs])
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(x[:8000], labels[:8000])
    return float(model.score(x[8000:], labels[8000:]) - labels[8000:].mean())


@pytest.mark.parametrize("name", SURFACE)
def test_the_surface_alone_tells_nothing(many: tuple[Any, Any], name: str) -> None:
    assert _surface(*many, SURFACE[name]) < 0.015


def test_a_leak_would_be_seen(mrpc: dict[str, dict[str, Any]], many: tuple[Any, Any]) -> None:
    """The checks above fail for the faults they are there for."""
    leaking = {
        split: columns
        | {
            "sentence1": [
                text + (" surely" if not label and at % 3 == 0 else "")
                for at, (text, label) in enumerate(
                    zip(columns["sentence1"], columns["label"], strict=True)
                )
            ]
        }
        for split, columns in mrpc.items()
    }
    counts = CountVectorizer(token_pattern=r"\S+")
    assert _accuracy(leaking, counts, ("sentence1",)) > MAJORITY + 0.015
    pairs, labels = many
    longer = [(a, b + " again" * (1 - y)) for (a, b), y in zip(pairs, labels, strict=True)]
    assert _surface(longer, labels, SURFACE["lengths"]) > 0.015


def test_common_words_do_tell(mrpc: dict[str, dict[str, Any]]) -> None:
    """The one thing that should: the share of words that both sentences have. Not all, either."""

    def common(split: str) -> Any:
        rows = zip(mrpc[split]["sentence1"], mrpc[split]["sentence2"], strict=True)
        bags = [(set(a.lower().split()), set(b.lower().split())) for a, b in rows]
        return np.array([[len(a & b) / min(len(a), len(b)), len(a | b)] for a, b in bags])

    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(common("train"), mrpc["train"]["label"])
    assert 0.88 < model.score(common("test"), mrpc["test"]["label"]) < 0.97
