"""Read blind: the first lines of a verdict say the fault, in words that somebody can act on."""

import re

import pytest

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from tests.conftest import ROOT
from tests.diff.causes.trainings import TRAININGS
from tests.helpers.small import watch

# What must stand in the lines `likely cause` and `next`; of each several texts.
MUST = {
    "eval mode after an evaluation": ("A trains in train mode, B in eval mode, from step 3 on",
                                      "model.train()"),
    "evaluation in train mode": ("B evaluates in train mode (dropout on)", "model.eval()"),
    "autocast": ("in A without autocast (float32) and in bfloat16 in B",),
    "frozen batch norm in train mode": ("0 is in eval mode in A", "BatchNorm", "B lacks .eval()"),
    "loss summed": ("B's gradients are 8 times A's", "B sums the loss, A averages it"),
    "loss module summed": ("CrossEntropyLoss.reduction is mean in A and sum in B",),
    "loss not divided": ("B's gradients are 4 times A's", "gradient_accumulation_steps"),
    "accumulates less": ("accumulated over different numbers of batches", "4 in A and 2 in B"),
    "never zeroed": ("B doesn't zero its gradients after step 1, and adds those of step 2",
                     "zero_grad()"),
    "zeroed before the step": ("B's gradients are all zero when its optimizer steps",
                               "put it after step()"),
    "label smoothing by hand": ("A and B have different loss functions", "label_smoothing"),
    "detached encoder": ("encoder.weight, encoder.bias) have no gradient in B", ".detach()"),
    "frozen part": ("requires_grad is on for all in A and off for 0 in B",),
    "no clip": ("A clips its gradients to a norm of 1, B doesn't call clip_grad_norm_",),
    "another clip": ("clipped to a norm of 1 in A and of 0.1 in B",),
    "clip by value": ("A clips its gradients by their norm, to 1; B not all by one factor",),
    "clip before unscale": ("B clips gradients that are still multiplied by the loss scale (4096)",
                            "scaler.unscale_(optimizer) in B before clip_grad_norm_"),
    "weight decay by default": ("weight_decay is 0 in A and 0.01 in B", "AdamW"),
    "adam for adamw": ("AdamW in A and Adam in B",),
    "head not in the optimizer": ("B's optimizer doesn't have 2.weight (2 of 4 parameters)",),
    "schedule of another length": ("a linear decay to 0 over 6 steps in A and 60 in B",),
    "schedule not stepped": ("B's stays what it is", "scheduler.step()"),
    "warm up left out": ("0.025 in A and 0.1 in B", "num_warmup_steps"),
    "state not resumed": ("its state (averages, count of steps)",),
    "another seed": ("the models begin with different weights", "another seed"),
    "head made anew": ("different weights in 1 of 4 parameters: 2.weight",),
    "average swapped in and not out": ("B's weights before step 4 are those that it had after "
                                       "step 1", "load_state_dict"),
    "best model loaded at the end": ("equal in every step", "the best model loaded back"),
    "another width": ("has the shape (6, 4) in A and (8, 4) in B",),
    "softmax twice": ("B's output are probabilities", "cross_entropy takes logits"),
    "sigmoid twice": ("B's output all lie between 0 and 1", "sigmoid"),
    "another pooling": ("compute different things inside their forward pass", "pooling"),
    "another dropout": ("1.p is 0.1 in A and 0.2 in B", "dropout"),
    "labels shifted twice": ("A's labels are its input_ids; B's are the next token's id",
                             "B shifts twice"),
    "prompts learnt": ("of 48 labels 16 are -100 in A and 0 in B", "the prompt"),
    "classes in another order": ("labels are numbered differently", "label2id"),
    "tokens masked with another seed": ("different tokens are masked (MLM)", "mlm_probability"),
    "no seed before dropout": ("different random numbers (torch) in the first step", "no seed"),
    "numbers drawn by an evaluation": ("between step 2 and step 3 one run drew more random "
                                       "numbers", "an evaluation"),
    "no attention mask": ("A gives the model attention_mask, B doesn't",),
    "padded on the left": ("pads on the left", "padding_side"),
    "padded to the longest": ("padded to different lengths: 6 in A and 8 in B",),
    "another tokenizer": ("beside the same labels input_ids has different values", "tokenisation"),
    "another batch size": ("8 in A and 16 in B", "batch_size"),
    "another order": ("the same data in a different order: all rows", "shuffle"),
    "another order cut short": ("the same data in a different order: ", " of 16 rows", "shuffle"),
    "the same order each epoch": ("B's batch of step 5 is its own of step 1 again", "set_epoch"),
    "normalised again each epoch": ("in B the same rows have new values from epoch to epoch, and "
                                    "no random numbers are drawn", ".copy()"),
    "workers that draw the same": ("each second batch has different rows (2, 4, 6 and so on)",
                                   "a DataLoader's 2 workers take turns", "worker_init_fn"),
    "one epoch more": ("A ends after step 4, B goes on to step 6", "epochs"),
    "zeroed elsewhere and another loss": ("B's gradients are 3 times A's", "factor"),
    "never zeroed beside zeroed before backward": ("zero", "call zero_grad() in B before each"),
    "passes in another order and another loss": ("B's gradients are 2 times A's",),
    "a loss of one tensor": ("different losses from equal outputs", "1.7 times as large in B"),
    "averages with another decay": ("a copy or an average of weights", "the average's decay"),
    "another activation": ("1 isn't the same module in both", "has approximate (none) in B",
                           "which class of module stands at 1"),
    "evaluated on other rows": ("evaluations get different rows", "the split"),
}  # fmt: skip


def first_lines(name: str) -> str:
    """What stands in the likely cause and its advice."""
    train = TRAININGS[name]
    verdict = diff(*(watch(train, fault) for fault in (False, True)))
    said = [
        line for line in lines("A and B", verdict) if line.startswith(("likely cause: ", "next: "))
    ]
    return "\n".join(said)


def test_each_training_has_its_words() -> None:
    assert MUST.keys() == TRAININGS.keys()
    assert len(MUST) >= 16


def test_the_kinds_of_causes_are_in_the_docs() -> None:
    files = (ROOT / "reference" / "diff" / "causes").glob("*.py")
    found = [re.findall(r'LikelyCause\(\s*"([a-z-]+)"', file.read_text()) for file in files]
    kinds = {kind for each in found for kind in each}
    page = (ROOT / "docs" / "diff-and-explain.md").read_text()
    assert len(kinds) > 40
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page] == []


@pytest.mark.parametrize("name", TRAININGS)
def test_the_first_lines_say_the_fault(name: str) -> None:
    said = first_lines(name)
    for words in MUST[name]:
        assert words in said, said


@pytest.mark.parametrize("name", TRAININGS)
def test_the_same_training_twice_has_no_cause(name: str) -> None:
    verdict = diff(*(watch(TRAININGS[name], False) for _ in range(2)))
    assert (verdict.verdict, verdict.cause, verdict.causes) == ("identical", "", ())
