"""Only asks a model, and has no optimizer."""

import torch

torch.manual_seed(0)
model = torch.nn.Linear(2, 1).eval()
with torch.no_grad():
    print("output", model(torch.ones(1, 2)).item())
