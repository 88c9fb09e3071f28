"""A small student learns from a larger teacher, which is only asked."""

import torch
import torch.nn.functional as F
from digest import digest
from torch import nn


def mlp(width):
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 4))


torch.manual_seed(0)
teacher, student = mlp(64), mlp(8)
teacher.eval().requires_grad_(False)
optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
temperature, alpha = 2.0, 0.7
for _ in range(5):
    x, y = torch.randn(16, 6), torch.randint(0, 4, (16,))
    with torch.no_grad():
        soft = F.softmax(teacher(x) / temperature, dim=-1)
    logits = student(x)
    kd = F.kl_div(F.log_softmax(logits / temperature, dim=-1), soft, reduction="batchmean")
    loss = alpha * kd * temperature**2 + (1 - alpha) * F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
print("weights", digest(student))
