"""Two other AdamWs that BERT has been trained with; edited loops import them."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class TransformersAdamW(Optimizer):
    """The `AdamW` of transformers before version 5, which Hugging Face's course once used.

    It adds eps before the bias correction, and decays after the update. `correct_bias=False` is
    the original BERT's optimizer (arXiv 2006.05987).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        correct_bias: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "correct_bias": correct_bias})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient; `closure` isn't called."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                exp_avg, exp_avg_sq = moments(self.state[p], p)
                exp_avg.mul_(beta1).add_(p.grad, alpha=1.0 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1.0 - beta2)
                denominator = exp_avg_sq.sqrt().add_(group["eps"])
                step_size = group["lr"]
                if group["correct_bias"]:
                    steps = self.state[p]["step"]
                    step_size *= math.sqrt(1.0 - beta2**steps) / (1.0 - beta1**steps)
                p.addcdiv_(exp_avg, denominator, value=-step_size)
                if group["weight_decay"] > 0.0:
                    p.add_(p, alpha=-group["lr"] * group["weight_decay"])


class UncorrectedAdamW(torch.optim.AdamW):
    """AdamW as it is often written by hand: Adam's means aren't corrected for starting at zero."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient; `closure` isn't called."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                exp_avg, exp_avg_sq = moments(self.state[p], p)
                p.mul_(1.0 - group["lr"] * group["weight_decay"])
                exp_avg.lerp_(p.grad, 1.0 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1.0 - beta2)
                p.addcdiv_(exp_avg, exp_avg_sq.sqrt().add_(group["eps"]), value=-group["lr"])


def moments(state: dict[str, Any], p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Adam's two running means for a parameter, one step on."""
    if not state:
        state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
    state["step"] += 1
    return state["exp_avg"], state["exp_avg_sq"]


# A ledger records an optimizer's class by its name. Under a name of their own, these two would be
# told by it; a stranger's loop calls them AdamW, and they are told by what they do.
TransformersAdamW.__name__ = UncorrectedAdamW.__name__ = "AdamW"
