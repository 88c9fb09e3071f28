"""Evaluates with averaged weights, swapped in through .data, and swaps them back."""

import copy

import torch
from digest import digest


class EMA:
    def __init__(self, model, decay):
        self.model, self.decay = model, decay
        self.shadow = copy.deepcopy(model.state_dict())

    def update(self):
        for name, p in self.model.named_parameters():
            self.shadow[name].mul_(self.decay).add_(p.data, alpha=1 - self.decay)

    def swap(self):
        for name, p in self.model.named_parameters():
            p.data, self.shadow[name] = self.shadow[name], p.data


torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
ema = EMA(model, 0.9)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
held_out = torch.randn(10, 3)
for epoch in range(2):
    model.train()
    for _ in range(3):
        x = torch.randn(8, 3)
        optimizer.zero_grad()
        (model(x) - x.prod(1, keepdim=True)).pow(2).mean().backward()
        optimizer.step()
        ema.update()
    ema.swap()
    model.eval()
    with torch.no_grad():
        error = (model(held_out) - held_out.prod(1, keepdim=True)).pow(2).mean()
    ema.swap()
    print(f"epoch {epoch}: {error.item():.8f}")
print("weights", digest(model))
