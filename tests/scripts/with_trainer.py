"""A small BERT tells sentences apart with the Trainer, for 20 steps: the script that works."""

import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

torch.set_num_threads(1)
torch.manual_seed(0)
rows = [
    {"input_ids": torch.randint(5, 90, (12,)), "labels": torch.tensor(i % 2)} for i in range(160)
]
config = BertConfig(
    vocab_size=90,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=16,
)
torch.manual_seed(1)
model = BertForSequenceClassification(config)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        seed=1,
        per_device_train_batch_size=8,
        max_steps=20,
        learning_rate=1e-3,
        weight_decay=0.1,
        max_grad_norm=0.5,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    Trainer(model, arguments, train_dataset=rows).train()
