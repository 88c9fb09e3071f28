"""Gradients that the optimizer gets otherwise: clipped, scaled, zeroed."""

from collections.abc import Iterator
from math import isclose, log2

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.ledger.record import Record

NEAR = 2e-4  # relative: clip_grad_norm_ adds 1e-6 to the norm that it divides by
BETWEEN = "between backward() and optimizer.step()"


def clip_causes(case: Case) -> Iterator[LikelyCause]:
    """The likeliest first."""
    norms = [((r.get("gradient") or {}).get("norm"), r["clip"].get("norm")) for r in case.pair]
    if any(not isinstance(n, int | float) for pair in norms for n in pair):
        yield _otherwise()
        return
    before, after = zip(*norms, strict=True)
    for side in (0, 1):
        if after[side] == 0 < after[1 - side]:
            yield LikelyCause(
                "zeroed-before-step",
                f"{RUNS[side]}'s gradients are all zero when its optimizer steps",
                f"zero_grad() stands {BETWEEN} in {RUNS[side]}: put it after step(), or before "
                "backward()",
            )
            return
    yield from _unscaled_late(before, after)
    yield from _clipped(case.pair, before, after)
    yield _otherwise()


def _otherwise() -> LikelyCause:
    return LikelyCause(
        "gradients-changed",
        f"the gradients are equal after backward(), and are changed otherwise {BETWEEN}",
        "look at clipping (by norm or by value), at hooks, and at what scales gradients",
    )


def _unscaled_late(before: tuple[float, ...], after: tuple[float, ...]) -> Iterator[LikelyCause]:
    """A loss scaler's factor taken away after the clip in one run, before it in the other."""
    for side in (0, 1):
        scale = before[side] / after[side] if after[side] else 0
        if scale < 2 or not log2(scale).is_integer():
            continue  # this run isn't one that only divides by a scale
        bound = after[1 - side] * scale
        if isclose(bound, float(f"{bound:.2g}"), rel_tol=NEAR) and bound < before[1 - side]:
            ours, other = RUNS[side], RUNS[1 - side]
            yield LikelyCause(
                "unscale-after-clip",
                f"{other} clips gradients that are still multiplied by the loss scale ({scale:g}), "
                f"from a norm of {before[1 - side]:.4g} to {bound:.2g}; {ours} divides by the "
                f"scale first, and its true norm, {after[side]:.4g}, needs no clip",
                f"call scaler.unscale_(optimizer) in {other} before clip_grad_norm_",
            )
            return


def _clipped(
    pair: tuple[Record, Record], before: tuple[float, ...], after: tuple[float, ...]
) -> Iterator[LikelyCause]:
    clipped = [bool(r["clip"].get("hash") != (r.get("gradient") or {}).get("hash")) for r in pair]
    if clipped[0] != clipped[1]:
        side = clipped.index(True)
        with_clip, without = RUNS[side], RUNS[1 - side]
        if _by_norm(pair[side]):
            said = f"{with_clip} clips its gradients to a norm of {_round(after[side])}"
        else:
            said = (
                f"{with_clip} changes its gradients, and not all by one factor (a clip by value, "
                f"say): their norm becomes {_round(after[side])}"
            )
        yield LikelyCause(
            "clip",
            f"{said}, {without} doesn't: its norm stays {_round(before[1 - side])}",
            f"call clip_grad_norm_ in {without} {BETWEEN}, with a bound and with all parameters: "
            "a generator, such as model.parameters(), is empty when it was used once",
        )
    elif all(clipped) and all(map(_by_norm, pair)):
        yield LikelyCause(
            "clip",
            f"gradients are clipped to a norm of {_round(after[0])} in {FIRST} and of "
            f"{_round(after[1])} in {SECOND}",
            "look at max_norm of clip_grad_norm_ (max_grad_norm)",
        )
    elif all(clipped) and any(map(_by_norm, pair)):
        side = int(_by_norm(pair[1]))
        yield LikelyCause(
            "clip",
            f"{RUNS[side]} clips its gradients by their norm, to {_round(after[side])}; "
            f"{RUNS[1 - side]} not all by one factor: by value, or each parameter by itself",
            "look at clip_grad_norm_ and clip_grad_value_",
        )


def _by_norm(record: Record) -> bool:
    """Whether each tensor was multiplied by the same factor: then no norms are listed."""
    factor = record["clip"].get("factor")
    if not isinstance(factor, int | float) or "norms" not in record["clip"]:
        return factor is not None
    before = str((record.get("gradient") or {}).get("norms", "")).split()
    pairs = zip(map(float, before), map(float, str(record["clip"]["norms"]).split()), strict=False)
    return all(isclose(x * factor, y, rel_tol=NEAR) for x, y in pairs)


def _round(norm: float) -> str:
    """A bound as somebody wrote it: 0.499999907 is 0.5."""
    near = float(f"{norm:.3g}")
    return f"{near:g}" if isclose(norm, near, rel_tol=NEAR) else f"{norm:.4g}"
