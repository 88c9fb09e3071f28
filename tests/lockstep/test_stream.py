"""A's events, as B keeps them."""

import socket

import pytest

from reference.lockstep.stream import Stream
from reference.lockstep.wire import Connection


@pytest.mark.parametrize(("takes_batches", "kept"), [(True, 1), (False, 0)])
def test_batches_that_nobody_will_take_go_with_their_step(takes_batches: bool, kept: int) -> None:
    ends = socket.socketpair()
    theirs, ours = map(Connection, ends)
    for kind in ("loader", "step_end"):
        theirs.send({"kind": kind, "step": 1, "pass": 0, "parks": kind == "step_end"})
    stream = Stream(ours)
    assert stream.seek("step_end", step=1) is not None
    stream.forget(1, takes_batches=takes_batches)
    assert len(stream.left_over("loader")) == kept
    theirs.close()
    ours.close()
