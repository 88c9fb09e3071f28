"""Gradients that the optimizer gets otherwise: clipped, scaled, zeroed."""

from collections.abc import Iterator
from math import isclose, log2

from reference.diff.causes.case import Case
from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.diff.value_text import short
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
        f"the gradients are equal after backward(), and are changed differently {BETWEEN}",
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
    told = _calls(pair)
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
        yield _unclipped(f"{said}, {without} ", without, _round(before[1 - side]), told[1 - side])
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


def _calls(pair: tuple[Record, Record]) -> list[list[Record] | None]:
    """By side the calls that clip by a norm; None of a ledger from before they were kept."""
    return [r["chores"].get("clips", []) if "chores" in r else None for r in pair]


def _unclipped(said: str, run: str, norm: str, calls: list[Record] | None) -> LikelyCause:
    """Why a run's gradients are what they were before a clip.

    Args:
        said: What the other run does.
        run: The run.
        norm: Of its gradients.
        calls: Those that clip by a norm; None where nobody looked.
    """
    stays = f"its norm stays {norm}"
    call = f"call clip_grad_norm_ in {run} {BETWEEN}"
    if calls is None:
        return LikelyCause(
            "clip",
            f"{said}doesn't: {stays}",
            f"{call}, with a bound and with all parameters: a generator, such as "
            "model.parameters(), is empty when it was used once",
        )
    if not calls:
        return LikelyCause("clip", f"{said}doesn't call clip_grad_norm_: {stays}", call)
    bound = short(calls[-1]["bound"])
    if calls[-1].get("tensors") == 0:
        return LikelyCause(
            "clip-of-nothing",
            f"{said}calls clip_grad_norm_ with the bound {bound} and with no tensors (a generator "
            f"that was used up before): {stays}",
            f"give clip_grad_norm_ model.parameters() itself in {run}, made anew at each call: a "
            "generator is empty once something has gone through it",
        )
    if calls[-1].get("norm") == 0:
        return LikelyCause(
            "clip-of-nothing",
            f"{said}calls clip_grad_norm_ with the bound {bound}, which finds no gradient: {stays}",
            f"call it after backward() in {run}, and with the parameters that the optimizer steps",
        )
    return LikelyCause(
        "clip",
        f"{said}clips to {bound}, which is more than its norm: {stays}",
        "look at max_norm of clip_grad_norm_ (max_grad_norm)",
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
