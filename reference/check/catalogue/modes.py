"""Modes: eval while training, train while evaluating, a model beside the trained one."""

from reference.check.finding import SETTINGS, Evidence, Finding, Level, count_of, some_of
from reference.check.step import Step, inputs_of, rows_in
from reference.check.training import BATCH_NORM, DROPOUT, Evaluated, Training

FEW = 2  # steps in eval mode after an evaluation: one may be meant


def always_eval(training: Training) -> Evidence | None:
    """All steps are in eval mode, of a model in which that makes a difference.

    That of batch normalisation may be meant: its statistics stay.
    """
    trained = {p.model for p in training.parameters if p.in_group}
    steps = [s for s in training.steps if s.training is not None]
    if not steps or any(s.training for s in steps) or not training.drops:
        return None
    if any(s.model not in trained for s in steps):
        return None  # the first pass is of a part that stays as it is
    if training.asked:
        return None  # learning from preferences: dropout is off there on purpose
    return Evidence(
        f"all {len(steps)} steps are in eval mode, and the model has {training.drops}",
        values={"has": training.drops},
        is_plain=DROPOUT in training.drops,
    )


def left_on(training: Training) -> Evidence | None:
    """In train mode before an evaluation, in eval mode in the steps after it.

    Where the loop went back to train mode after another evaluation, and is in eval mode from here
    to its end, that is more likely a last stage without dropout, which is meant.
    """
    if not training.drops:
        return None
    # One in train mode has left nothing on.
    own = (e for e in training.evaluations if e.trained and not e.metrics.get("training"))
    evaluated = {e.step for e in own}
    found: list[Step] = []
    went_back = False
    for at in sorted(evaluated):
        before = next((s for s in reversed(training.steps[:at]) if s.training is not None), None)
        if before is None or not before.training:
            continue
        for step in training.steps[at:]:
            same = step.model == before.model and step.optimizer == before.optimizer
            if same and step.training:
                went_back = went_back or step is training.steps[at]
                break
            if same and step.training is False:
                found.append(step)
    last = max((s.number for s in training.steps if s.training), default=0)
    if len(found) < FEW or (went_back and all(s.number > last for s in found)):
        return None
    numbers = sorted({s.number for s in found})
    at = max(e for e in evaluated if e < numbers[0])
    return Evidence(
        f"the steps up to the evaluation after step {at} are in train mode, and "
        f"{len(numbers)} after it are in eval mode, from step {numbers[0]} on; the model has "
        f"{training.drops}",
        numbers,
        {"evaluated_after": at},
    )


def evaluates_in_train_mode(training: Training) -> Evidence | None:
    """An evaluation with scores of a trained model is in train mode."""
    found = [
        e
        for e in training.evaluations
        if e.trained and e.metrics.get("training") and e.metrics.get("scores")
    ]
    if not found or not training.drops:
        return None
    return Evidence(
        f"{count_of(len(found), 'evaluation')} in train mode, the first after step "
        f"{found[0].step}, and the model has {training.drops}",
        [e.step for e in found],
    )


def second_in_train_mode(training: Training) -> Evidence | None:
    """A model that isn't trained, and stays as it is, is asked in train mode, again and again."""
    return _asked(training, moves=False)


def moving_in_train_mode(training: Training) -> Evidence | None:
    """Another such model changes: an average of the trained one, or its running statistics."""
    return _asked(training, moves=True)


def _asked(training: Training, *, moves: bool) -> Evidence | None:
    rows = {s.number: max(map(rows_in, s.batch), default=0) for s in training.steps}
    taken = {s.number: {g.form for b in s.batch for g in inputs_of(b)} for s in training.steps}
    for model, asked in training.asked.items():
        changes = len({each.metrics.get("held") for each in asked}) > 1
        if changes == moves and all(each.metrics.get("training") for each in asked):
            dropout = asked[0].dropout
            if dropout == 0 and not asked[0].statistics:
                continue  # it answers in train mode as in eval mode
            more = ", and what it holds changes" if moves else ""
            more += f", with dropout ({dropout:g})" if dropout else ""
            # Asked several times of each row it may give the spread of its answers.
            once = all(each.metrics.get("count") == rows.get(each.step + 1) for each in asked)
            makes = any(_forms(each) & taken.get(each.step + 1, set()) for each in asked)
            return Evidence(
                f"{model}, which no step trains, is asked in train mode before or in "
                f"{len(asked)} of {len(training.steps)} steps{more}",
                [each.step + 1 for each in asked],
                {"model": model},
                is_plain=moves or bool(dropout and once and not makes),
            )
    return None


def _forms(asked: Evaluated) -> set[str]:
    """Of what a model gave: another may be fed with it, as a critic is by a generator."""
    return {str(output[1]) for output in asked.metrics.get("outputs", {}).values()}


def frozen_norms(training: Training) -> Evidence | None:
    """Running statistics move in a part whose parameters are all frozen."""
    frozen = {p.name.rpartition(".")[0] for p in training.parameters if p.frozen}
    trained = {p.name.rpartition(".")[0] for p in training.parameters if not p.frozen}
    moving = {n.rpartition(".")[0] for n in training.moving if n.endswith(BATCH_NORM)}
    parts = sorted(moving & (frozen - trained))
    if not parts:
        return None
    return Evidence(
        f"running_mean and running_var move in {len(parts)} frozen "
        f"module{'s' * (len(parts) != 1)}: {some_of(parts)}",
        values={"modules": parts},
    )


FINDINGS = (
    Finding(
        name="eval-mode-while-training",
        level=Level.LIKELY,
        claim="the model is in eval mode in every training step",
        link="mode: train or eval in training steps",
        remedy="call model.train() before the loop: from_pretrained gives a model in eval mode",
        find=always_eval,
        or_look=True,
        needs=(SETTINGS,),
    ),
    Finding(
        name="eval-mode-left-on",
        level=Level.LIKELY,
        claim="the model stays in eval mode after an evaluation",
        link="mode: train or eval after an evaluation",
        remedy="call model.train() at the beginning of each epoch, or after each evaluation",
        find=left_on,
        needs=(SETTINGS,),
    ),
    Finding(
        name="evaluation-in-train-mode",
        level=Level.LIKELY,
        claim="the model is evaluated in train mode",
        link="metrics: train or eval in evaluations",
        remedy="call model.eval() before the evaluation, and model.train() after it",
        find=evaluates_in_train_mode,
        needs=(SETTINGS,),
    ),
    Finding(
        name="second-model-in-train-mode",
        level=Level.LIKELY,
        claim="a model that is only asked is in train mode",
        link="metrics: the mode of models that aren't trained",
        remedy="call eval() on the teacher or reference: with dropout it answers otherwise each "
        "time",
        find=second_in_train_mode,
        or_look=True,
    ),
    Finding(
        name="moving-model-in-train-mode",
        level=Level.LOOK,
        claim="a model that is only asked is in train mode, and changes",
        link="metrics: the mode of models that aren't trained",
        remedy="nothing, where it follows the trained one, as a momentum encoder or a mean teacher "
        "does; else call eval() on it: its running statistics move",
        find=moving_in_train_mode,
    ),
    Finding(
        name="batchnorm-in-frozen-part",
        level=Level.LOOK,
        claim="a frozen part's batch normalisation still moves",
        link="update: running statistics of frozen parts",
        remedy="call eval() on the frozen part after each model.train(); nothing, where its "
        "statistics are to follow the data",
        find=frozen_norms,
        needs=(SETTINGS,),
    ),
)
