"""What is an upgrade of what is installed, and which constraints it lifts."""

import pytest

from benchmarks.upgrading.environments import CONSTRAINTS, lifted, read_requirements
from reference.errors import InputError


def test_only_what_is_upgraded_loses_its_constraint() -> None:
    text = CONSTRAINTS.read_text()
    left = lifted(text, ["transformers", "huggingface-hub"]).splitlines()
    gone = [line.split("==")[0] for line in text.splitlines() if line not in left]
    assert gone == ["transformers", "huggingface-hub"]
    assert any(line.startswith("torch==") for line in left)


INSTALLED = {"transformers": "5.23.0", "torch": "2.13.0+cpu", "numpy": "2.4.6"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no requirement was given"),
        (["transformers=5.24"], "transformers=5.24: isn't a requirement"),
        (["./folder"], "isn't a requirement"),
        (["transformer==5.24.0"], "transformer isn't installed here"),
        (["numpy==2", "Numpy==3"], "numpy was given twice"),
        (["torch"], "may fetch gigabytes"),
        (["torch>=2.14"], "may fetch gigabytes"),
        (["torch==2.*"], "may fetch gigabytes"),
        (["numpy==2.0; python_version < '3'"], "is for another machine"),
        (["numpy==2.0; os_name ~= 'posix'"], "is for another machine"),
        (["transformers==5.23.0"], "needs no upgrade: transformers 5.23.0"),
        (["torch==2.13.0", "transformers==5.23.0"], "needs no upgrade: torch 2.13.0+cpu, "),
    ],
)
def test_what_is_no_upgrade_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(InputError) as refused:
        read_requirements(words, INSTALLED)
    assert says in str(refused.value)


def test_what_may_be_an_upgrade_is_tried() -> None:
    words = ["transformers>=5.20", "torch==2.13.0", "numpy"]
    assert list(read_requirements(words, INSTALLED)) == ["transformers", "torch", "numpy"]
