"""Optimizers that are told other things, or hold other parameters."""

from collections.abc import Iterator

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause, in_both
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.unequal import HARD, IN_NO_GROUP, Unequal
from reference.diff.value_text import distance
from reference.messages import plain

ADVICE = {
    "weight_decay": "torch.optim.AdamW decays by 0.01 if it isn't told, Adam and SGD by 0; biases "
    "and norms are often in a group without decay",
    "learning_rate": "look at lr, at a warm-up, and at what multiplies the rate (batch size, "
    "processes)",
    "class": "Adam adds weight decay to the gradients, AdamW takes it off the weights",
}


def optimizer_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first: what is left out, then what is set otherwise, the class last."""
    unequal = case.unequal("optimizer")
    for each in sorted(unequal, key=_rank):
        if each.field == IN_NO_GROUP:
            yield _left_out(each)
        elif each.field == "index":
            yield LikelyCause(
                "optimizer-order", f"different optimizers step here in {FIRST} and in {SECOND}"
            )
        else:
            name = "the optimizer" if each.field == "class" else plain(each.field)
            apart = distance(each.left, each.right)
            yield LikelyCause(
                "optimizer",
                f"{name} is {in_both(each.left, each.right)}{apart}{_share(each)}",
                ADVICE.get(each.field, ""),
            )


def _rank(each: Unequal) -> int:
    first = {IN_NO_GROUP: 0, "learning_rate": 1, "class": 2, "index": 5}
    return first.get(each.field, 3 if each.weight == HARD else 4)


def _share(each: Unequal) -> str:
    if each.share is None:
        return ""
    first = f", first {plain(each.tensor)}" if each.tensor else ""
    return f", for {each.share.count} of {each.share.total} parameters{first}"


def _left_out(each: Unequal) -> LikelyCause:
    side = int(not each.left)  # whose optimizer doesn't have it
    share = each.share
    count = "" if share is None else f" ({share.count} of {share.total} parameters)"
    return LikelyCause(
        "not-in-optimizer",
        f"{RUNS[side]}'s optimizer doesn't have {plain(each.tensor or 'some parameters')}{count}, "
        f"{RUNS[1 - side]}'s has: they aren't trained in {RUNS[side]}",
        "make the optimizer after everything that makes new parameters (to(), "
        "resize_token_embeddings, a new head, LoRA), and of all of them",
    )
