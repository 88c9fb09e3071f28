"""Looks at a batch before it trains: once without gradients, and once with them, forgotten."""

import torch
from digest import digest
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(24, 4), torch.randint(0, 2, (24,)))
loader = DataLoader(data, batch_size=8, shuffle=True)
model = torch.nn.Linear(4, 2)

x, y = next(iter(loader))
with torch.no_grad():
    print("logits", tuple(model(x).shape))
print("loss before", torch.nn.functional.cross_entropy(model(x), y).item())

optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
print("loss after", loss.item())
print("weights", digest(model))
