"""What a command printed, each line in one piece again: `diff` folds long ones at 80 columns."""

import re


def unfolded(text: str) -> str:
    """The text with each line that was folded as the one that it was."""
    return re.sub(r"\n  (?=\S)", " ", text)
