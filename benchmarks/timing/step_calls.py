"""Which call belongs to which part of a step: the only place that names the libraries' calls.

`parts_clock.py` wraps them while a step is taken apart. Some are private to their library. All were
there in torch 2.13, transformers 5.23 and accelerate 1.15 (tests/benchmarks/timing/
test_parts_clock.py fails where one is gone).
"""

WAITING = "waiting for the GPU"  # at the step's end, when the host has asked for all of it
BARE_PARTS = ("forward", "backward", "clip", "optimizer", "zero", WAITING)
REST = "the rest"  # what no part names
PARTS = (
    *BARE_PARTS,
    "data",  # fetching and collating a batch, and moving it to the device
    "scheduler",
    "logging",  # callbacks, progress bar, the Trainer's look whether to log, save or evaluate
    "synchronisation",  # values that the host reads: the Trainer's NaN filter, `.item()`
    "counters",  # the Trainer's: samples of a batch, floating-point operations
    "mode",  # train mode, and the autocast that is off
    # Accelerate's wrappers, less what they wrap; the Trainer goes through them too. That of the
    # clip is no part: it goes through the model's parameters in PyTorch's stead.
    "Accelerate's backward",
    "Accelerate's step",
    "Accelerate's zero",
    REST,
)

MODEL = "transformers:BertForSequenceClassification"

# (part, owner, name). A private name may be gone tomorrow: its time is then the rest's, and
# `wrapped` says so.
CALLS = (
    ("forward", MODEL, "__call__"),
    ("backward", "torch:Tensor", "backward"),
    ("clip", "torch.nn.utils", "clip_grad_norm_"),
    ("clip", "accelerate:Accelerator", "clip_grad_norm_"),
    ("clip", "transformers:Trainer", "_clip_grad_norm"),
    ("optimizer", "torch.optim:AdamW", "step"),
    ("zero", "torch.optim:Optimizer", "zero_grad"),
    ("zero", MODEL, "zero_grad"),
    ("data", "torch.utils.data:DataLoader", "__iter__"),
    ("data", "torch.utils.data.dataloader:_BaseDataLoaderIter", "__next__"),
    ("data", "torch:Tensor", "to"),
    ("data", "transformers:Trainer", "_prepare_inputs"),
    ("scheduler", "torch.optim.lr_scheduler:LRScheduler", "step"),
    ("scheduler", "transformers:Trainer", "_get_learning_rate"),
    ("logging", "tqdm.std:tqdm", "update"),
    ("logging", "transformers.trainer_callback:CallbackHandler", "call_event"),
    ("logging", "transformers:Trainer", "_maybe_log_save_evaluate"),
    ("synchronisation", "torch", "isnan"),
    ("synchronisation", "torch", "isinf"),
    ("synchronisation", "torch:Tensor", "__bool__"),
    ("synchronisation", "torch:Tensor", "__float__"),
    ("synchronisation", "torch:Tensor", "item"),
    ("counters", "transformers:Trainer", "floating_point_ops"),
    ("counters", "transformers:Trainer", "_get_num_items_in_batch"),
    ("counters", "transformers:Trainer", "_track_num_input_tokens"),
    ("mode", MODEL, "train"),
    ("mode", "torch:autocast", "__init__"),
    ("mode", "torch:autocast", "__enter__"),
    ("mode", "torch:autocast", "__exit__"),
    ("Accelerate's backward", "accelerate:Accelerator", "backward"),
    ("Accelerate's step", "accelerate.optimizer:AcceleratedOptimizer", "step"),
    ("Accelerate's zero", "accelerate.optimizer:AcceleratedOptimizer", "zero_grad"),
    ("scheduler", "accelerate.scheduler:AcceleratedScheduler", "step"),
)

# Generators: their work is done when they are asked for the next item.
GENERATORS = (("data", "accelerate.data_loader:DataLoaderShard", "__iter__"),)
