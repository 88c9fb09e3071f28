"""Mixed precision in bfloat16, on the CPU, with two micro-batches to a step."""

import torch
from digest import digest

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
accumulation_steps = 2
for i in range(8):
    x = torch.randn(8, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = (model(x).squeeze(-1) - x[:, 0]).pow(2).mean() / accumulation_steps
    loss.backward()
    if (i + 1) % accumulation_steps == 0:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
print("loss", loss.item())
print("weights", digest(model))
