"""Word vectors with sparse gradients: SparseAdam for them, Adam for what is dense."""

import torch
from digest import digest

torch.manual_seed(0)
words = torch.nn.EmbeddingBag(50, 8, mode="mean", sparse=True)
head = torch.nn.Linear(8, 2)
model = torch.nn.Sequential(words, head)
sparse = torch.optim.SparseAdam(words.parameters(), lr=0.05)
dense = torch.optim.Adam(head.parameters(), lr=0.05)
for _ in range(4):
    ids, y = torch.randint(0, 50, (8, 5)), torch.randint(0, 2, (8,))
    loss = torch.nn.functional.cross_entropy(model(ids), y)
    sparse.zero_grad()
    dense.zero_grad()
    loss.backward()
    sparse.step()
    dense.step()
print("loss", loss.item())
print("weights", digest(model))
