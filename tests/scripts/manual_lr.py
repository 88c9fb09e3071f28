"""Softmax regression; the learning rate is set by hand, there is no scheduler."""

import torch
import torch.nn.functional as F
from digest import digest

torch.manual_seed(3)
features = torch.randn(64, 5)
targets = (features.sum(1) > 0).long()
model = torch.nn.Linear(5, 2)
base_lr, warmup = 0.5, 3
opt = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=0.9)

step = 0
for epoch in range(2):
    for i in torch.randperm(64).split(16):
        lr = base_lr * min(1.0, (step + 1) / warmup) * (0.1 if epoch else 1.0)
        for group in opt.param_groups:
            group["lr"] = lr
        loss = F.cross_entropy(model(features[i]), targets[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1

with torch.no_grad():
    accuracy = (model(features).argmax(1) == targets).float().mean().item()
print(f"{step} steps, accuracy {accuracy:.3f}")
print("weights", digest(model))
