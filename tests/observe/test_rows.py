"""Rows of a batch: the same values, however a row was padded."""

import pytest
import torch
import xxhash

from reference.observe.step.rows import Rows

MASKS = {
    "padded at the end": [[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]],
    "padded at the beginning": [[0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]],
    "with holes": [[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 1]],
}


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.uint8])
@pytest.mark.parametrize("mask", MASKS)
def test_a_row_is_hashed_without_its_padding(
    mask: str, kind: torch.dtype, shape: tuple[int, ...]
) -> None:
    own, tensor = torch.tensor(MASKS[mask]) > 0, torch.randint(0, 99, shape).to(kind)
    expected = [
        xxhash.xxh32_hexdigest(row[of].numpy().tobytes())
        for row, of in zip(tensor, own, strict=True)
    ]
    assert Rows(3, own).hashes(tensor) == expected


def test_rows_without_a_mask_are_hashed_whole() -> None:
    tensor = torch.arange(6).reshape(3, 2)
    expected = [xxhash.xxh32_hexdigest(row.numpy().tobytes()) for row in tensor]
    assert Rows(3).hashes(tensor) == expected
