"""Sentence pairs with the Trainer; every training argument can be given.

python glue_trainer.py --model_name_or_path DIR --data_dir DIR --output_dir OUT --do_train --do_eval
"""

import csv
import logging
import os
from dataclasses import dataclass, field

import datasets
import numpy as np
import transformers
from digest import digest
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)

logger = logging.getLogger(__name__)


@dataclass
class DataArguments:
    data_dir: str = field(metadata={"help": "Folder with train.tsv and dev.tsv."})
    max_seq_length: int = field(default=64, metadata={"help": "Longer pairs are cut."})
    pad_to_max_length: bool = field(default=False, metadata={"help": "Pad all to the longest."})


@dataclass
class ModelArguments:
    model_name_or_path: str = field(metadata={"help": "A checkpoint's folder."})


def read_pairs(path):
    with open(path, encoding="utf-8-sig") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    return datasets.Dataset.from_dict(
        {
            "sentence1": [row["#1 String"] for row in rows],
            "sentence2": [row["#2 String"] for row in rows],
            "label": [int(row["Quality"]) for row in rows],
        }
    )


def main():
    parser = HfArgumentParser((ModelArguments, DataArguments, TrainingArguments))
    model_args, data_args, training_args = parser.parse_args_into_dataclasses()
    logging.basicConfig(level=logging.WARNING)
    transformers.utils.logging.set_verbosity_error()
    set_seed(training_args.seed)

    raw = {s: read_pairs(os.path.join(data_args.data_dir, f"{s}.tsv")) for s in ("train", "dev")}
    config = AutoConfig.from_pretrained(model_args.model_name_or_path, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path)
    model = AutoModelForSequenceClassification.from_pretrained(
        model_args.model_name_or_path, config=config
    )

    def preprocess(examples):
        return tokenizer(
            examples["sentence1"],
            examples["sentence2"],
            padding="max_length" if data_args.pad_to_max_length else False,
            max_length=data_args.max_seq_length,
            truncation=True,
        )

    tokenized = {s: d.map(preprocess, batched=True) for s, d in raw.items()}

    def compute_metrics(p):
        preds = np.argmax(p.predictions, axis=1)
        return {"accuracy": float((preds == p.label_ids).mean())}

    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=tokenized["train"] if training_args.do_train else None,
        eval_dataset=tokenized["dev"] if training_args.do_eval else None,
        compute_metrics=compute_metrics,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    if training_args.do_train:
        result = trainer.train()
        print(f"train_loss {result.metrics['train_loss']:.6f}")
    if training_args.do_eval:
        print(f"eval_accuracy {trainer.evaluate()['eval_accuracy']:.4f}")
    print("weights", digest(model))


if __name__ == "__main__":
    main()
