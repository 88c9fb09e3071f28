"""torch.compile with the backend named on the command line."""

import sys

import torch
from digest import digest

backend = sys.argv[1] if len(sys.argv) > 1 else "inductor"
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1))
fast = torch.compile(model, backend=backend)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for _ in range(4):
    x = torch.randn(8, 6)
    loss = (fast(x) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print(backend, "weights", digest(model))
