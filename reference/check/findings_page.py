"""The table of docs/check.md: every finding, as the registry has it.

python -m reference.check.findings_page
"""

from reference.check.finding import Finding, Level
from reference.check.registry import FINDINGS

HEAD = ("finding", "level", "what is wrong", "what to do")


def table() -> str:
    """All findings as a table in Markdown, the most serious first, then in the order of a step."""
    ordered = sorted(FINDINGS, key=lambda finding: finding.level)
    rows = [(f"`{f.name}`", _levels(f), f.claim, f.remedy) for f in ordered]
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _levels(finding: Finding) -> str:
    return f"{finding.level.word}, {Level.LOOK.word}" if finding.or_look else finding.level.word


if __name__ == "__main__":
    print(table(), end="")
