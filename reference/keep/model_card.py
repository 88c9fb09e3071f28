"""The card of a saved model: what was trained, on what data, how well, and what it is not.

Everything in it comes from the run. On the hub it is the model's page.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from reference.ledger.record import Record
from reference.lesson.data.own_table import task_of
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import Task
from reference.process.run_folder import MODEL_FOLDER

NAMES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "matthews_correlation": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearmanr": "Spearman correlation",
}
SHOWN = [
    "learning_rate",
    "train_batch_size",
    "num_train_epochs",
    "max_steps",
    "seed",
    "dropout",
    "gradient_accumulation_steps",
    "max_grad_norm",
    "weight_decay",
    "mixed_precision",
]
NOT_COMPARED = "This loop was trained alone: nothing was compared with it."


def write_card(
    run_dir: Path, recipe: Recipe, header: Record, metrics: Mapping[str, Any], parity: str
) -> None:
    """Write the card of the model that a run has saved.

    Args:
        run_dir: whose folder `model` gets a `README.md`.
        recipe: by which it was trained.
        header: of the run's ledger: data, checkpoint and versions.
        metrics: what the run's `metrics.json` holds.
        parity: what was said of the three loops, in a sentence or two.
    """
    task = task_of(recipe)
    card = ModelCard(f"---\n{_facts(recipe, task, metrics).to_yaml()}\n---\n\n")
    card.text = _text(recipe, task, header, metrics, parity)
    card.save(run_dir / MODEL_FOLDER / "README.md")


def _facts(recipe: Recipe, task: Task, metrics: Mapping[str, Any]) -> ModelCardData:
    kind, dataset = _dataset(recipe, task)
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=kind,
            dataset_name=dataset,
            dataset_config=task.name,
            dataset_split=task.validation,
            metric_type=name,
            metric_value=value,
        )
        for name, value in metrics["scores"].items()
    ]
    return ModelCardData(
        language="en",
        library_name="transformers",
        pipeline_tag="text-classification",
        datasets=["nyu-mll/glue"] if recipe.data == "hub" else None,
        base_model=recipe.checkpoint if _is_on_hub(recipe.checkpoint) else None,
        metrics=list(metrics["scores"]),
        model_name=f"{recipe.name} {task.name}",
        eval_results=results,
    )


def _dataset(recipe: Recipe, task: Task) -> tuple[str, str]:
    """The kind and the name of the data, as a card has them."""
    if task.own:
        return "own", Path(recipe.data).name
    if recipe.data == "embedded":
        return "synthetic", f"synthetic {task.folder}"
    return "glue", f"GLUE {task.folder}"


def _is_on_hub(checkpoint: str) -> bool:
    return checkpoint not in ("embedded", "minilm") and not Path(checkpoint).exists()


def _text(
    recipe: Recipe, task: Task, header: Record, metrics: Mapping[str, Any], parity: str
) -> str:
    data, fields = header["data"], recipe.to_json()
    source = {
        "embedded": f"a synthetic corpus in the shape of {task.folder}, made from code",
        "hub": f"GLUE {task.folder} (nyu-mll/glue)",
    }.get(recipe.data, f"GLUE {task.folder}, from files")
    if task.own:
        columns = ", ".join(f"`{name}`" for name in (*task.text, task.label))
        rule = data.get("split", "the validation split is a file of its own")
        source = f"a table of one's own (`{Path(recipe.data).name}`, columns {columns}; {rule})"
    scores = [
        f"- {NAMES.get(name, name)}: {value:.4f}" for name, value in metrics["scores"].items()
    ]
    versions = ", ".join(f"{name} {number}" for name, number in header["versions"].items())
    limits = [
        "- One seed: another one scores otherwise, on a small split by some points.",
        "- It was chosen by nothing: these are the weights after the last step.",
    ]
    if recipe.data == "embedded":
        limits += ["- It knows the synthetic corpus alone, and is of no use for real text."]
    return "\n".join(
        [
            f"# {task.name}: {' or '.join(task.labels) if not task.regression else 'a number'}",
            "",
            f"Takes {len(task.text)} text{'s' * (len(task.text) > 1)} ({', '.join(task.text)}), of "
            f"up to {recipe.max_length} tokens together.",
            "",
            f"- data: {source}; SHA-256 of texts and labels `{data['sha256']}`",
            f"- begun from: `{recipe.checkpoint}`, SHA-256 `{header['checkpoint']['sha256']}`",
            f"- loop: `{metrics['loop']}`, {metrics['steps']} steps, last loss "
            f"{metrics['final_loss']}",
            "",
            f"## Scores on the {task.validation} split",
            "",
            *scores,
            "",
            "## Recipe",
            "",
            *(f"- `{name}`: {fields[name]}" for name in SHOWN),
            "",
            "All of it is in `recipe.json`. " + parity,
            "",
            "## Limits",
            "",
            *limits,
            "",
            f"Trained on {header['device']}, with {versions}.",
            "",
        ]
    )
