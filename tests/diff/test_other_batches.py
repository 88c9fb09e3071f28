"""How far an evaluation moves because of its batches alone: the ground of NEAR.

python -m pytest tests/diff/test_other_batches.py -s
"""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

from reference.diff.evaluation_batches import NEAR
from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger
from tests.diff.pairs.small_trainings import sgd
from tests.helpers.small import watch

ROWS = 64


def evaluated(kind: type[nn.Module], kind_of_number: torch.dtype, size: int) -> Ledger:
    """A BERT of two layers after a step, that gives what it gives in batches of this size."""

    def train() -> None:
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=500,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=256,
        )
        model = kind(config).to(kind_of_number)
        model(input_ids=torch.ones(2, 5, dtype=torch.int64)).logits.float().sum().backward()
        sgd(model).step()
        model.eval()
        g = torch.Generator().manual_seed(1)
        lengths = torch.randint(10, 60, (ROWS,), generator=g).tolist()
        texts = [torch.randint(5, 500, (length,), generator=g) for length in lengths]
        with torch.no_grad():
            for start in range(0, ROWS, size):
                batch = texts[start : start + size]
                mask = pad_sequence([torch.ones_like(t) for t in batch], batch_first=True)
                model(input_ids=pad_sequence(batch, batch_first=True), attention_mask=mask)

    return watch(train)


@pytest.mark.parametrize("kind", [BertForSequenceClassification, BertForTokenClassification])
@pytest.mark.parametrize("kind_of_number", [torch.float32, torch.bfloat16], ids=str)
def test_other_batches_stay_near(kind: type[nn.Module], kind_of_number: torch.dtype) -> None:
    ledgers = [evaluated(kind, kind_of_number, size) for size in (8, 1, ROWS)]
    sums = [ledger.evaluations[-1]["metrics"]["outputs"]["logits"][2:] for ledger in ledgers]
    norm = sums[0][1]
    moved = [abs(x - y) / norm for other in sums[1:] for x, y in zip(sums[0], other, strict=True)]
    print(f"\n{kind.__name__}, {kind_of_number}: moved by {max(moved):.1g} of the norm")
    assert math.isfinite(max(moved))
    assert max(moved) < NEAR
    for other in ledgers[1:]:
        unequal = diff(ledgers[0], other).unequal
        # In bfloat16 a class may be a tie: then it is the predictions that part, rightly.
        assert [u.field for u in unequal if u.field != "predictions"] == []
