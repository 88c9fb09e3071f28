"""The same by hand, with what goes wrong on the way: another seed, its own order, and the rest.

python by_hand.py            what somebody wrote
python by_hand.py --right    with the loop put right; the seed and the order are still its own
"""

import sys

import torch
from torch.utils.data import DataLoader
from transformers import BertConfig, BertForSequenceClassification

right = "--right" in sys.argv
torch.set_num_threads(1)
torch.manual_seed(0)
rows = [
    {"input_ids": torch.randint(5, 90, (12,)), "labels": torch.tensor(i % 2)} for i in range(160)
]
config = BertConfig(
    vocab_size=90,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=16,
)
torch.manual_seed(7)
model = BertForSequenceClassification(config)
if right:
    no_decay = [p for n, p in model.named_parameters() if "bias" in n or "LayerNorm" in n]
    others = [p for n, p in model.named_parameters() if not ("bias" in n or "LayerNorm" in n)]
    groups = [{"params": others}, {"params": no_decay, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.1, fused=True)
else:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
steps = 20 if right else 18
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
if right:
    model.train()
else:
    model.eval()
for batch in DataLoader(rows, batch_size=8, shuffle=True):
    loss = model(**batch).loss
    loss.backward()
    if right:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
print(f"last loss {loss.item():.4f}")
