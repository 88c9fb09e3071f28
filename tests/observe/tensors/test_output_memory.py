"""Memory is an output's as long as the output, or a view of it, is there."""

import torch

from reference.observe.tensors.output_memory import OutputMemory


def test_a_place_is_nobodys_once_the_output_is_gone() -> None:
    output = torch.ones(8, 3)
    memory, place = OutputMemory([output]), output.untyped_storage().data_ptr()
    assert memory.holds({place})
    assert not memory.holds({place + 1})
    view = output.view(-1)
    del output
    assert memory.holds({place})
    del view
    assert not memory.holds({place})  # the next tensor that lies there is another


def test_what_has_no_one_place_is_left_out() -> None:
    assert not OutputMemory([torch.eye(2).to_sparse()]).holds({0})
    assert not OutputMemory().holds({0})
