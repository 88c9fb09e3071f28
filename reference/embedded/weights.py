"""The weights of the embedded checkpoint: a small BERT that starts out able to compare.

    python -m reference train manual

Plainly initialised, a BERT of this size stays at the majority class in 1377 steps: it would have
to find out first that equal words are worth attending to. So the first layer's attention starts
near the identity, as trained transformers' tends to be ("Mimetic Initialization of Self-Attention
Layers", Trockman and Kolter, 2023): each token attends to those equal to it, and the output, with
a minus sign, takes what it finds from what it holds. What is left over has no counterpart.
"""

import torch
from transformers import BertConfig, BertModel

SEED = 20
NOISE = 0.02  # BERT's own initializer_range
SCALES = {"word_embeddings": 0.05, "token_type": 0.05, "position": 0.01}
# Multiples of the identity that the first layer's projections start from.
MIMETIC = {"query": 1.4, "key": 1.4, "value": 1.0, "output": -0.5}

CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}


def make_config(vocab_size: int) -> BertConfig:
    """BERT's configuration, made small."""
    return BertConfig(vocab_size=vocab_size, architectures=["BertModel"], **CONFIG)


def make_weights(config: BertConfig) -> dict[str, torch.Tensor]:
    """A BertModel's state in float32, without a head; the same bytes on every machine.

    Leaves the global generators alone.
    """
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        shapes = {name: value.shape for name, value in BertModel(config).state_dict().items()}
    generator = torch.Generator().manual_seed(SEED)
    return {name: _initial(name, shapes[name], generator) for name in sorted(shapes)}


def _initial(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    if name.endswith("bias"):
        return torch.zeros(shape)
    if "LayerNorm" in name:
        return torch.ones(shape)
    scale = next((s for part, s in SCALES.items() if part in name), NOISE)
    weight = _normal(shape, generator) * scale
    if name.startswith("encoder.layer.0.attention."):
        weight += MIMETIC[_projection(name)] * torch.eye(*shape, dtype=torch.float64)
    return weight.to(torch.float32)


def _projection(name: str) -> str:
    """'encoder.layer.0.attention.self.query.weight' -> 'query'; '...output.dense.weight' too."""
    return name.split(".")[5] if ".self." in name else "output"


def _normal(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Nearly normal float64 values, mean 0 and variance 1: sums of twelve uniform ones, less six.

    `torch.randn` takes logarithms and cosines, from another library on another processor: the
    last bit may differ. These sums are of integers, hence exact. That `torch.randint` draws the
    same integers from a CPU generator in every version is practice, not a promise; a test pins
    the result.
    """
    draws = torch.randint(0, 2**24, (12, *shape), generator=generator)
    return (draws.sum(0) - 6 * 2**24).to(torch.float64) / 2**24
