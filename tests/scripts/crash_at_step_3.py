"""Divides by a count that reaches zero."""

import torch

torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
left = 2


def scaled(loss):
    return loss / left if left else loss * (1 / left)


for _step in range(6):
    optimizer.zero_grad()
    loss = scaled(model(torch.randn(4, 2)).square().mean())
    loss.backward()
    optimizer.step()
    left -= 1
