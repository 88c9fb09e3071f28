"""Trains just the head; BERT itself stays as it is."""

import torch
from digest import digest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

from reference.lesson.embedded import checkpoint_folder, make_split

set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(checkpoint_folder())
model = AutoModelForSequenceClassification.from_pretrained(checkpoint_folder())
for param in model.bert.parameters():
    param.requires_grad = False

raw = make_split("mrpc", "train")
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
model.train()
for i in range(0, 32, 8):
    batch = tokenizer(
        raw["sentence1"][i : i + 8],
        raw["sentence2"][i : i + 8],
        padding=True,
        return_tensors="pt",
    )
    output = model(**batch, labels=torch.tensor(raw["label"][i : i + 8]))
    output.loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(f"loss {output.loss.item():.6f}")
print("weights", digest(model))
