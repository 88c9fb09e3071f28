"""Ranks of one run: on the same samples, or parted."""

from reference.check.finding import Evidence, Finding, Level, in_steps
from reference.check.training import Training

OFTEN = 0.5  # of the steps
FEW = 2


def same_samples(training: Training) -> Evidence | None:
    """Another rank has the same batches, and each has whole parameters."""
    if any(p.shared for p in training.parameters):
        return None  # shards of one model take one batch together
    for rank, other in training.others.items():
        pairs = list(zip(training.steps, other.steps, strict=False))
        reduced = [
            (a, b)
            for a, b in pairs
            if a.keys and b.keys and a.gradient.get("hash") == b.gradient.get("hash")
        ]
        same = [a.number for a, b in reduced if a.keys == b.keys]
        if len(same) >= FEW and len(same) > OFTEN * len(pairs):
            return Evidence(
                f"{in_steps(same, len(pairs))} rank {rank} has the batch of rank {training.rank}, "
                "and the same gradient",
                same,
                {"ranks": [training.rank, rank]},
            )
    return None


def part(training: Training) -> Evidence | None:
    """Ranks that should be equal aren't."""
    if not training.partings:
        return None
    return Evidence(training.partings[0], values={"partings": list(training.partings)})


def alone(training: Training) -> Evidence | None:
    """The ranks began as one model, and none ever shared a gradient or weights with another."""
    if not training.each_alone:
        return None
    count = len(training.others) + 1
    return Evidence(
        f"{count} ranks begin with the same weights, and no two of them have a gradient or weights "
        f"in common in any of {len(training.steps)} steps",
        values={"ranks": count},
    )


FINDINGS = (
    Finding(
        name="ranks-see-the-same",
        level=Level.LIKELY,
        claim="several ranks train on the same samples",
        link="batch: the ranks' beside each other",
        remedy="take a DistributedSampler, or accelerator.prepare(dataloader); see that each rank "
        "is given its own number",
        find=same_samples,
        across_ranks=True,
    ),
    Finding(
        name="ranks-part",
        level=Level.WRONG,
        claim="ranks that should be equal part",
        link="weights: the ranks' beside each other",
        remedy="see what that rank does otherwise at this step: `python -m reference diff FOLDER` "
        "has all of it",
        find=part,
        across_ranks=True,
    ),
    Finding(
        name="ranks-each-alone",
        level=Level.LOOK,
        claim="no gradient is averaged over the ranks, and each trains a model of its own",
        link="gradient: the ranks' beside each other",
        remedy="wrap the model (DistributedDataParallel, accelerator.prepare); nothing, where each "
        "is to have its own",
        find=alone,
        across_ranks=True,
    ),
)
