"""Damaged inputs by number, outside pytest.

python -m tests.torture                     all of them
python -m tests.torture ledgers             all of a family
python -m tests.torture ledgers 1234 77     these cases, each with what was done and said
"""

import sys
import tempfile
from pathlib import Path

from tests.torture.families import COUNTS, Family, report


def _main(words: list[str]) -> int:
    names, numbers = words[:1] or list(COUNTS), [int(word) for word in words[1:]]
    bad = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            family = Family(name, Path(folder))
            if numbers:
                bad += sum(family.show(number) for number in numbers)
                continue
            figures = family.run(range(COUNTS[name]), tell=lambda line: print(line, flush=True))
            print(report(name, figures), flush=True)
            bad += len(figures.bad)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
