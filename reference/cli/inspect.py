"""Looking before training: one batch of the shared pipeline, and what this machine has.

python -m reference data
python -m reference env
"""

import math
import platform
from collections import Counter
from collections.abc import Callable

import torch
from transformers import set_seed

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.checkpoints import find_checkpoint
from reference.lesson.data.hub import check_hub, offline_by
from reference.lesson.data.pipeline import Data, get_dataloaders, load_data
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe
from reference.messages import brief
from reference.process.versions import versions
from reference.run.prepare import quiet, resolve_device

MANY = 12  # names of labels in a line


def show_batch(recipe: Recipe) -> None:
    """Print the splits, one batch as Hugging Face's course looks at it, and its first loss.

    Raises:
        InputError: data, checkpoint or device can't be used.
    """
    quiet()
    torch.set_num_threads(recipe.num_threads)
    recipe = resolve_device(recipe)
    data = load_data(recipe)
    set_seed(recipe.seed)
    train_dataloader, _ = get_dataloaders(recipe, data)
    epochs, steps = recipe.duration(len(train_dataloader))
    batch = next(iter(train_dataloader))
    model = load_model(recipe).to(recipe.device).eval()  # what is wrong is said before all else
    synthetic = ", a synthetic corpus" if recipe.data == "embedded" else ""
    print(f"task {recipe.task}, data {recipe.data}{synthetic}, checkpoint {recipe.checkpoint}")
    if data.split_rule:
        print(data.split_rule)
    if data.task.own and not data.task.regression:
        print(f"labels: {', '.join(_counted(data))}")
    print(f"rows: train {len(data.train)}, validation {len(data.validation)}")
    print(f"steps: {epochs} epochs of {len(train_dataloader)} batches, {steps} in all")
    for name, tensor in sorted(batch.items()):
        print(f"  {name}: {tuple(tensor.shape)}, {str(tensor.dtype).removeprefix('torch.')}")
    row = batch["input_ids"][0][batch["attention_mask"][0].bool()]  # without its padding
    print(f"first row: {data.tokenizer.decode(row)}")
    with torch.no_grad():
        outputs = model(**{k: v.to(recipe.device) for k, v in batch.items()})
    count = len(data.task.labels)
    expected = "" if data.task.regression else f" (ln {count} is {math.log(count):.4f})"
    print(
        f"before training: loss {outputs.loss:.4f}{expected}, logits {tuple(outputs.logits.shape)}"
    )


def _counted(data: Data) -> list[str]:
    """Each label's name, and how many training rows have it; the first few of many."""
    numbers = Counter(data.train.with_format(None)["labels"])
    names = data.task.labels[:MANY]
    more = ["..."] if len(data.task.labels) > MANY else []
    return [f"{brief(name)} {numbers[number]}" for number, name in enumerate(names)] + more


def show_environment() -> None:
    """Print versions, device, threads, and which data and checkpoints can be reached."""
    rows = [["what", "value"], ["python", platform.python_version()]]
    rows += [[name, number] for name, number in versions().items()]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    rows += [["gpu", gpu], ["threads", str(torch.get_num_threads())]]
    rows += [["embedded checkpoint", _state(lambda: str(embedded.checkpoint_folder()))]]
    rows += [["minilm checkpoint", _state(lambda: str(find_checkpoint("minilm").folder))]]
    rows += [["hub", _state(_hub)]]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name.ljust(width)}  {value}" for name, value in rows[1:]))


def _hub() -> str:
    name = offline_by()
    if name is not None:
        return f"not asked, since {name} is set: what it has given before is read from its cache"
    check_hub()
    return "can be reached"


def _state(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except InputError as error:
        return f"no: {error}"
