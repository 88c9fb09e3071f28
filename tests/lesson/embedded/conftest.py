"""A whole embedded checkpoint for each test, its bytes computed once."""

from pathlib import Path

import pytest

from reference.lesson.embedded import checkpoint, checkpoint_folder


@pytest.fixture(scope="session")
def contents() -> dict[str, bytes]:
    return checkpoint._contents()


@pytest.fixture
def folder(tmp_path: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole checkpoint of this test's own; the bytes are computed once for all tests."""
    monkeypatch.setattr(checkpoint, "_contents", lambda: dict(contents))
    return checkpoint_folder(tmp_path / "cache")
