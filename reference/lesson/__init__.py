"""What is trained: the lesson, which is Hugging Face's course, chapter 3, "A full training".

    https://huggingface.co/learn/llm-course/chapter3/4

This room is named after it, and wherever this project says "the lesson", it means that chapter. In
it BERT is fine-tuned on MRPC by a loop in plain PyTorch, and then by one with Accelerate; the page
before it does so by `Trainer`.

In the order to read it in:

- `loops/`: the three training loops, `manual.py` first;
- `loop_file.py`: a loop's own file as a command;
- `saving/`: checkpoints of a run that goes on later;
- `recipe.py`: everything that determines a run;
- `recipe_fields.py`: what each of its fields means, and its bounds;
- `recipe_sources.py`: the named recipes, and those in files;
- `tasks.py`: GLUE's tasks, a row each;
- `data/`: from a source's rows to the batches of all three loops;
- `checkpoints.py`: a checkpoint found and checked, and its tokenizer;
- `checkpoint_config.py`, `checkpoint_tokenizer.py`: its files, before a library reads them;
- `encoders.py`: an encoder's configuration by its own class, and what of its weights is a head's;
- `model.py`: a checkpoint's model with a new head, and its parameter groups;
- `shards.py`: such a model sharded over processes;
- `metrics.py`: GLUE's scores;
- `embedded/`: a synthetic corpus and a small checkpoint, made from code, for use without a network.
"""
