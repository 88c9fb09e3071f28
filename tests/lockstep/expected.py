"""What lockstep has to tell of each deviation of the catalogue beside another seed: link and field.

The first field of each is its own, and has to be told whatever else is wrong with the loop. The
others go with it: of an input that is made otherwise, the evaluation is, too.
"""

Field = tuple[str, str]

CLIP, RATE, ZEROED = ("clip", "norm"), ("schedule", "lr"), ("zeroed", "zeroed")
GRADIENT, CHANGED = ("gradient", "norm"), ("gradient", "changed")
DECAY, CLASS = ("optimizer", "weight_decay"), ("optimizer", "class")
BETAS, FUSED, IN_GROUP = (("optimizer", name) for name in ("betas", "fused", "in a group"))
PASSES, ROWS, AGAIN, CONTENT = (("batch", name) for name in ("passes", "rows", "again", "content"))
WEIGHT, DRAWS, MODE = ("gradient", "weight"), ("rng", "draws"), ("mode", "training")
AUTOCAST, SCORES = ("forward", "autocast"), ("metrics", "evaluation")

OF_NAMES: dict[tuple[Field, ...], tuple[str, ...]] = {
    (CLIP,): ("no-clip", "clip-norm", "clip-after-step", "clip-by-value"),
    (DECAY,): ("torch-default-decay", "weight-decay", "decay-on-biases"),
    (("optimizer", "eps"),): ("eps",),
    (CLASS,): ("transformers-adamw", "no-bias-correction"),
    (BETAS,): ("beta1", "beta2"),
    (FUSED,): ("not-fused", "fused"),
    (("optimizer", "decoupled_weight_decay"),): ("adam-with-l2",),
    (("optimizer", "state"),): ("resumed-without-optimizer",),
    (IN_GROUP,): ("optimizer-before-model", "parameters-left-out"),
    (("mode", "frozen"), IN_GROUP): ("frozen",),
    (RATE,): (
        *("learning-rate", "schedule-never-stepped", "schedule-before-optimizer"),
        *("schedule-once-an-epoch", "schedule-every-micro-batch", "schedule-once-a-process"),
        *("total-steps-floor", "total-steps-without-epochs", "total-steps-of-micro-batches"),
        *("epochs", "total-steps", "warm-up", "schedule-kind", "schedule-rounded"),
        "resumed-without-schedule",
    ),
    (ZEROED,): ("never-zeroed", "zeroed-each-epoch"),
    (CHANGED,): ("zeroed-before-step",),
    (GRADIENT,): (
        *("zeroed-every-micro-batch", "loss-multiplied", "loss-not-divided", "loss-divided"),
        *("loss-divided-twice", "mean-of-means", "last-window-divided-by-all"),
        *("clip-every-micro-batch", "loss-summed", "softmax-twice", "binary-cross-entropy"),
        *("label-smoothing", "class-weights"),
    ),
    (PASSES, WEIGHT): (
        "last-window-not-stepped",
        "window-across-epochs",
        "first-micro-batch-steps",
    ),
    (PASSES, GRADIENT, WEIGHT): ("last-window-dropped",),  # it is zeroed between two passes
    (PASSES, RATE): ("accumulation",),
    (MODE, DRAWS): (
        "no-train-after-evaluation",
        "never-back-in-train-mode",
        "back-in-train-mode-by-epoch",
    ),
    (MODE,): ("eval-mode",),
    (DRAWS,): (
        *("evaluated-each-epoch", "evaluated-within-epochs", "global-order", "seeded-order"),
        *("extra-draw", "resumed-without-rng"),
    ),
    (("forward", "setting p"),): ("dropout",),
    (AUTOCAST, SCORES): ("autocast", "no-autocast"),
    (AGAIN,): ("no-shuffle", "same-order-each-epoch"),
    (AGAIN, ROWS): ("resumed-at-wrong-batch",),
    (ROWS, RATE): ("last-batch-dropped", "batch-size"),
    (("batch", "given attention_mask"), SCORES): ("no-attention-mask",),
    (("batch", "given token_type_ids"), SCORES): ("no-token-types",),
    (CONTENT, SCORES): ("sentences-swapped", "truncated-left"),
    (("batch", "width"), CONTENT, SCORES): ("cut-at",),
    (("batch", "width"), SCORES): ("padded-to",),
    (("batch", "mask"), ("batch", "made of the same batch"), SCORES): ("padding-counted-in",),
    (("batch", "multiple"),): ("padded-to-multiple",),
    (("batch", "left"), SCORES): ("padded-left",),
    (SCORES,): (
        *("evaluation-without-autocast", "averages-batch-scores", "evaluation-drops-last-batch"),
        *("evaluated-twice", "evaluated-on-training-set", "counts-padded-duplicates"),
        *("evaluation-in-train-mode", "f1-of-class-0", "f1-averaged"),
    ),
}
TOLD: dict[str, tuple[Field, ...]] = {
    name: fields for fields, names in OF_NAMES.items() for name in names
}

# These are what another seed is: told of a loop with the recipe's own seed, and nothing else.
ORDER, HEAD, DRAWN = ("batch", "values"), ("weights", "tensors"), ("rng", "generators")
OF_A_SEED: dict[str, set[Field]] = {
    "head-seed": {HEAD},
    "order-seed": {ORDER},
    "another-seed": {ORDER, HEAD, DRAWN},
    "no-seed": {DRAWN},
    "dropout-seed": {DRAWN},
    "peeked-at-a-batch": {DRAWN},
}

# How a field may be told where another fault is beside it: a loss among more passes, say.
INSTEAD: dict[Field, set[Field]] = {
    GRADIENT: {WEIGHT, ("gradient", "weight of a pass"), ("gradient", "loss"), CHANGED},
    CLIP: {("clip", "bound")},
    WEIGHT: {GRADIENT},
    PASSES: {GRADIENT, WEIGHT},  # of whole windows alone the losses are divided otherwise
    ROWS: {PASSES},  # a window without its last batch
}


def ways(field: Field) -> set[Field]:
    """The fields by which one may be told."""
    return {field} | INSTEAD.get(field, set())
