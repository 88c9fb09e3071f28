"""Logistic regression to the end with LBFGS, which asks for a closure."""

import torch
from digest import digest

torch.manual_seed(0)
x = torch.randn(40, 3)
y = (x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(40) > 0).float()
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)


def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
    loss.backward()
    return loss


for _ in range(3):
    loss = optimizer.step(closure)
    print(f"{loss.item():.6f}")
print("weights", digest(model))
