"""Deviations of the loss that is made of the model's outputs."""

from reference.deviations.anchors import LOADERS, LOOP_PARTS
from reference.deviations.citations import NO_REPORT
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import after, replace

LOSS = "loss = outputs.loss"
CROSS_ENTROPY = (
    "torch.nn.functional.cross_entropy(\n"
    '                    outputs.logits.float(), batch["labels"], {}\n'
    "                )"
)
SOFTMAX_TWICE = (
    "torch.nn.functional.cross_entropy(\n"
    '                    outputs.logits.float().softmax(-1), batch["labels"]\n'
    "                )"
)
BINARY_CROSS_ENTROPY = (
    "torch.nn.functional.binary_cross_entropy_with_logits(\n"
    "                    outputs.logits.float(),\n"
    '                    torch.eye(outputs.logits.shape[-1], device=device)[batch["labels"]],\n'
    "                )"
)


DEVIATIONS = (
    Deviation(
        name="loss-summed",
        row=42,
        # The model is given the labels and computes its own loss too; the other is backpropagated.
        link="gradient",
        also_in=("forward",),
        summary="The loss is summed over the batch, not averaged.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace(LOSS, "loss = " + CROSS_ENTROPY.format('reduction="sum"')),),
    ),
    Deviation(
        name="softmax-twice",
        row=42,
        link="gradient",
        also_in=("forward",),
        summary="The loss gets probabilities, and makes a softmax of them once more.",
        shows_when="always",
        citation="Lightning-Universe/lightning-bolts#654; lansinuote/Huggingface_Toturials#6",
        edits=(replace(LOSS, f"loss = {SOFTMAX_TWICE}"),),
    ),
    Deviation(
        name="binary-cross-entropy",
        row=42,
        link="gradient",
        also_in=("forward",),
        summary="Each class has a binary loss of its own, as where a row may be of several.",
        shows_when="always",
        citation="activetigger/activetigger#1030; kitzeslab/opensoundscape#302",
        edits=(replace(LOSS, f"loss = {BINARY_CROSS_ENTROPY}"),),
    ),
    Deviation(
        name="label-smoothing",
        row=43,
        link="gradient",
        also_in=("forward",),
        summary="The labels are smoothed.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace(LOSS, "loss = " + CROSS_ENTROPY.format("label_smoothing=VALUE")),),
        default_value=0.1,
        values_to_try=lambda _: (0.1, 0.05, 0.2, 0.01, 0.15, 0.3),
    ),
    Deviation(
        name="class-weights",
        row=43,
        link="gradient",
        also_in=("forward",),
        summary="The classes are weighted by their counts.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(
            LOOP_PARTS,
            after(LOADERS, "class_weights = loop_parts.class_weights(data, VALUE, device)"),
            replace(LOSS, "loss = " + CROSS_ENTROPY.format("weight=class_weights")),
        ),
        default_value="balanced",
        values_to_try=lambda _: ("balanced", "inverse", "one minus share", "by the largest"),
    ),
)
