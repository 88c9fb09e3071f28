"""A verdict is values; its words are made last, and name the two runs as they are called there."""

import json
import re
from typing import get_args

import pytest

from reference.diff.evidence import (
    ChangedTensors,
    Contradiction,
    Evidence,
    HeaderDifference,
    LackingRanks,
    OptimizerAtEnd,
    ParametersDiffer,
    Sum,
    TrainedInOne,
)
from reference.diff.inside_notes import (
    CutInside,
    EqualInside,
    How,
    ModuleName,
    NotInside,
    PartsInside,
    Setting,
    Value,
)
from reference.diff.note_text import note_text
from reference.diff.notes import (
    BeginsLater,
    Envelope,
    FilesOfOneEnd,
    GeneratedInOtherBatches,
    GeneratorsAtEnd,
    GradientsAtEnd,
    HyperAtEnd,
    Lengths,
    MatchedByPosition,
    MissingLinks,
    ModelsOfOneEnd,
    MoreEvaluations,
    MoreRows,
    NoModelInCommon,
    NoScores,
    Note,
    NothingEvaluated,
    NotLookedInto,
    OfOtherBatches,
    OlderEnd,
    OneRankAlone,
    OnRank,
    OtherParts,
    OtherRanks,
    PaddedOtherwise,
    PartBeside,
    PassesOfOne,
    SetsInOtherOrder,
    TensorsOfOneEnd,
    UncalledParameters,
    UnknownFields,
    UnreadOptimizer,
    Unsealed,
    UnseenPass,
    UnusedModel,
    WithoutEffect,
)
from reference.diff.replica_notes import (
    EndsEarly,
    NoReplicas,
    OtherLengths,
    RanksPart,
    Why,
)
from reference.diff.replica_text import EACH_ALONE
from reference.diff.unequal import SOFT, Share, Things, Unequal
from reference.diff.verdict import Reason, Verdict
from reference.diff.verdict_text import as_json, in_words
from reference.explain.report import REPLAY

TRAINED = TrainedInOne("probe.weight")
EDITED = Contradiction(1, 4, "update", Sum.HASH)
NORM = Unequal("gradient", "norm", 1.0, 2.0, tensor="a.bias", share=Share(3, 41, Things.TENSORS))
LOSS = Unequal("forward", "loss", 0.5, 0.25, forward_pass=2)
DROPOUT = ModuleName("layer.dropout", ("Dropout", "Dropout"))
NOTES: list[Note] = [
    PartsInside(DROPOUT, How.OUTPUT, settings=(Setting("layer.dropout", "p", "0.1", "0.2"),)),
    EqualInside(12, (), 1),
    CutInside(1, 40, ""),
    NotInside(3, 1),
    HeaderDifference("device", "cpu", "cuda"),
    MatchedByPosition("a", "b"),
    NoModelInCommon(),
    NotLookedInto("output", 3),
    SetsInOtherOrder(3),
    BeginsLater(1, 20, 2, given=False),
    PartBeside(2, LOSS),
    NotInside(3, 1),
    EqualInside(3, (), 0),
    CutInside(0, 5, ""),
    PartsInside(ModuleName("layer.1", ("Linear", "Linear")), How.OUTPUT, Value("output", "a", "b")),
    Lengths(18, 54),
    UncalledParameters(1, 2, 1),
    PaddedOtherwise(3),
    PassesOfOne(1, 2, 3),
    GeneratedInOtherBatches(3),
    OfOtherBatches(("loss", "rows of x"), 3),
    ModelsOfOneEnd("Net", True, 0, 1),
    NoScores(),
    Unsealed((0, 1)),
    NothingEvaluated(),
    UnusedModel(0, "Linear", 1, whole=True),
    MissingLinks((1,), ("clip",)),
    MissingLinks((0, 1), ("clip", "update")),
    UnseenPass(0, 3, False, "why"),
    UnseenPass(1, 3, True, "why"),
    UnknownFields(1, ("grace",)),
    MoreEvaluations(0, 2, 3),
    MoreRows(1, 1),
    WithoutEffect(Unequal("rng", "torch", None, None), False, 2, 1, True),
    EDITED,
    OlderEnd((1,)),
    UnreadOptimizer(0, "Adam", "TypeError: why"),
    HyperAtEnd("weight_decay", 0.0, 0.1),
    GeneratorsAtEnd(("numpy", "torch")),
    GradientsAtEnd(2, 4, "a", 1),
    OtherParts("Net", 1, "act", "ReLU", None),
    FilesOfOneEnd(1, 2, "model.pt", ""),
    TensorsOfOneEnd(2, "a"),
    LackingRanks((), (1,)),
    OtherRanks((2, 3), "diverged", 4, "clip"),
    OneRankAlone(0, 2),
    OnRank(1, MoreRows(1, 1)),
    Envelope((("forward loss", 0.25),)),
    NoReplicas((2, 3), 0, Why.NOT_SHARED),
    RanksPart(1, (1,), (0, 2), (0, 1), 4, "optimizer", (Unequal("optimizer", "eps", 1e-8, 1e-6),)),
    EndsEarly((1,)),
    OtherLengths(3, 4),
]
DETAILS: dict[Reason | None, tuple[Verdict, Evidence | None, str]] = {
    None: (
        Verdict("diverged", 1, 2, "gradient", unequal=(NORM, LOSS)),
        None,
        "3 of 41 tensors, first a.bias, norm: 1 and 2 (2 times) (also unequal: forward pass 2, "
        "loss: 0.5 and 0.25 (2 times))",
    ),
    Reason.NO_STEPS: (Verdict("incomparable"), None, "a ledger without steps"),
    Reason.OTHER_MODELS: (
        Verdict("incomparable", 6),
        ParametersDiffer(["a", [2]], None),
        "the models have different parameters: only A has a (2); batches and generators are equal "
        "for 6 steps",
    ),
    Reason.OTHER_SURROUNDINGS: (
        Verdict("incomparable", 1, 2, "forward", unequal=(LOSS,)),
        (HeaderDifference("num_threads", 1, 2),),
        "bits may differ with nothing wrong, since num_threads (1 and 2); first unequal: step 2, "
        "link forward: pass 2, loss: 0.5 and 0.25 (2 times)",
    ),
    Reason.NEWER_SCHEMA: (
        Verdict("incomparable", 6),
        None,
        "equal for 6 steps in every link that schema 5 knows",
    ),
    Reason.RECORDING_ENDED: (
        Verdict("incomparable", 6),
        "out of memory",
        "equal for 6 steps; recording ended in one (out of memory)",
    ),
    Reason.CUT_SHORT: (
        Verdict("incomparable", 6),
        None,
        "equal for 6 steps; a run was cut short, or failed",
    ),
    Reason.MISSING_LINKS: (
        Verdict("incomparable", 6),
        None,
        "equal for 6 steps in every link that both have",
    ),
    Reason.CONTRADICTION: (
        Verdict("incomparable", 6),
        EDITED,
        "equal for 6 steps; B's step 4, update: not its tensors' hash",
    ),
    Reason.OTHER_END: (
        Verdict("incomparable", 6),
        None,
        "equal for 6 steps; the last weights are of different lists of them",
    ),
    Reason.MISSING_RANKS: (
        Verdict("incomparable", 6, ranks=1),
        LackingRanks((), (1,)),
        "equal for 6 steps on 1 rank; no ledger of rank 1 in B's folder",
    ),
    Reason.ONE_RUN_ENDS: (
        Verdict("diverged", 6, 7, "batch", unequal=(Unequal("batch", "steps of the run", 6, 9),)),
        None,
        "one run ends: steps of the run: 6 and 9 (3 apart)",
    ),
    Reason.CHANGED_WEIGHTS: (
        Verdict("diverged", 6, 6, "update"),
        ChangedTensors(1, 4, "a"),
        "the weights changed after the last step: 1 of 4 tensors, first a",
    ),
    Reason.CHANGED_BUFFERS: (
        Verdict("diverged", 6, 6, "update", unequal=(Unequal("update", "buffers", "x", "y"),)),
        None,
        "buffers changed after the last step: buffers: x and y",
    ),
    Reason.CHANGED_OPTIMIZER: (
        Verdict("diverged", 6, 6, "optimizer"),
        OptimizerAtEnd("step", 4, 4, "a", ("6.0", "3.0")),
        "what the optimizer keeps is different at the end: step of 4 of 4 parameters, first a: 6.0 "
        "and 3.0",
    ),
    Reason.REPLICAS: (Verdict("identical", 6), None, "in weights and updates"),
    Reason.NO_REPLICAS: (Verdict("incomparable", 6), None, "no two of them need be equal"),
    Reason.EACH_ALONE: (Verdict("incomparable", 6), None, EACH_ALONE),
    Reason.WITHIN_ENVELOPE: (Verdict("identical", 6), None, "within the envelope"),
}


def test_each_reason_and_each_note_has_its_words_here() -> None:
    assert set(DETAILS) == {None, *Reason}
    assert {type(note) for note in NOTES} == set(get_args(Note))


@pytest.mark.parametrize("reason", DETAILS)
def test_a_reason_in_words(reason: Reason | None) -> None:
    verdict, evidence, detail = DETAILS[reason]
    values = Verdict(**{**vars(verdict), "reason": reason, "evidence": evidence})
    assert in_words(values).detail == detail


def test_a_model_that_one_run_trains_is_no_comparison() -> None:
    at_a_step = Verdict(
        "incomparable", 1, 2, "forward", unequal=(LOSS,), reason=Reason.OTHER_MODELS,
        evidence=TRAINED,
    )  # fmt: skip
    detail = in_words(at_a_step).detail
    assert "probe.weight, which is trained, stands in one of them only" in detail
    assert "first unequal: step 2, link forward: pass 2, loss" in detail
    newer = Verdict("incomparable", 1, 2, "forward", unequal=(LOSS,), reason=Reason.NEWER_SCHEMA)
    assert "a newer schema than 5 may write the same bits" in in_words(newer).detail


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
def test_a_note_names_the_runs_as_they_are_called(note: Note) -> None:
    """Of a replay nothing is said of an A or a B: there is only one ledger."""
    ledgers, replay = note_text(note), note_text(note, REPLAY)
    assert ledgers
    assert not re.search(r"\b[AB]\b", replay.replace("diff --inside A B", ""))
    named = re.search(r"\b[AB]\b", ledgers.replace("diff --inside A B", "")) is not None
    assert not named or "ledger" in replay or "replay" in replay


def test_a_replay_s_words() -> None:
    said = [note_text(note, REPLAY) for note in NOTES]
    assert "not compared: clip, which the ledger lacks" in said
    assert "not compared: clip, update, which the replay and the ledger lacks" in said
    assert any("a in the replay is b in the ledger" in line for line in said)
    assert "step 3 of the replay has a pass that couldn't be recorded: why" in said


def test_what_compare_writes_keeps_its_fields() -> None:
    """`field` is the whole of it in words, as it was; its parts stand beside it."""
    soft = Unequal("optimizer", "eps", 1, None, SOFT, share=Share(1, 2, Things.PARAMETERS))
    verdict = in_words(
        Verdict(
            "diverged", 1, 2, "gradient", unequal=(NORM, LOSS, soft), remarks=(NoModelInCommon(),)
        )
    )
    written = json.loads(json.dumps(as_json(verdict)))
    assert [field["field"] for field in written["unequal"]] == [
        "3 of 41 tensors, first a.bias, norm",
        "pass 2, loss",
        "eps (1 of 2 parameters)",
    ]
    assert [field["weight"] for field in written["unequal"]] == ["hard", "hard", "soft"]
    assert written["unequal"][0]["tensor"] == "a.bias"
    assert written["unequal"][1]["forward_pass"] == 2
    assert written["detail"] == verdict.detail
    assert written["notes"] == list(verdict.notes)
    assert written["reason"] is None
