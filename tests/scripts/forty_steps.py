"""Fine-tunes a small BERT on sentence pairs for 40 steps, by hand."""

import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    get_scheduler,
    set_seed,
)

from reference.lesson.embedded import checkpoint_folder, make_split

SEED = 42
STEPS = 40
torch.set_num_threads(1)

checkpoint = checkpoint_folder()
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
pairs = make_split("mrpc", "train")


def preprocess(i):
    features = tokenizer(pairs["sentence1"][i], pairs["sentence2"][i], truncation=True)
    return {**features, "labels": pairs["label"][i]}


def shuffled(epoch):
    generator = torch.Generator().manual_seed(SEED + epoch)
    return torch.randperm(len(pairs["label"]), generator=generator).tolist()


train_dataloader = DataLoader(
    [preprocess(i) for i in shuffled(epoch=0)[: 8 * STEPS]],
    batch_size=8,
    collate_fn=DataCollatorWithPadding(tokenizer),
)

set_seed(SEED)  # the new head is drawn here
model = AutoModelForSequenceClassification.from_pretrained(checkpoint, num_labels=2)
set_seed(SEED)

norms_and_biases = ("bias", "LayerNorm")
decayed = [p for n, p in model.named_parameters() if not any(w in n for w in norms_and_biases)]
others = [p for n, p in model.named_parameters() if any(w in n for w in norms_and_biases)]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.0}, {"params": others, "weight_decay": 0.0}],
    lr=5e-4,
    betas=(0.9, 0.999),
    eps=1e-8,
    fused=True,
)
lr_scheduler = get_scheduler(
    "linear", optimizer=optimizer, num_warmup_steps=0, num_training_steps=STEPS
)

model.train()
for batch in train_dataloader:
    outputs = model(**batch)
    loss = outputs.loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    lr_scheduler.step()
    optimizer.zero_grad()
print(f"last loss {loss.item():.6f}")
