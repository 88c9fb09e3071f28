"""What both print, when both print at once."""

import io
import os

from reference.lockstep.output import Prefixed


class Pieces(io.StringIO):
    """Keeps what is written at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_a_line_is_written_in_one_piece_with_its_end() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "wb") as source:
        source.write(b"one\ntwo\rthree\n")
    out = Pieces()
    pump = Prefixed(os.fdopen(read, "rb"), "A| ", out)
    pump.start()
    pump.join()
    assert out.pieces == ["A| one\n", "A| three\n"]
