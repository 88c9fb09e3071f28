"""One backward pass; weights go by Adam, biases by plain SGD."""

import torch
from digest import digest

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
weights = [p for p in model.parameters() if p.dim() > 1]
biases = [p for p in model.parameters() if p.dim() == 1]
optimizers = [torch.optim.Adam(weights, lr=1e-2), torch.optim.SGD(biases, lr=1e-1)]
for _ in range(4):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    loss = torch.nn.functional.cross_entropy(model(x), y)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
print("loss", loss.item())
print("weights", digest(model))
