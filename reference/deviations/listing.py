"""The catalogue as `python -m reference deviations` prints it; loads no torch.

python -m reference deviations
python -m reference deviations no-clip
"""

from reference.deviations.catalogue import EVERY
from reference.deviations.deviation import Chosen
from reference.deviations.edited_loop import loop_diff
from reference.messages import nearest


def show_deviations() -> None:
    """Print the catalogue: each name with its row and link, and below it what it is."""
    width = max(map(len, EVERY))
    print(f"{'deviation'.ljust(width)}  row  link")
    for deviation in EVERY.values():
        print(f"{deviation.name.ljust(width)}  {deviation.row:3}  {deviation.link}")
        print(f"    {deviation.description}")


def show_deviation(name: str) -> None:
    """Print one deviation: what it is, and what it changes in its loop.

    Raises:
        InputError: for a name that isn't in the catalogue, with the nearest one.
    """
    if name not in EVERY:
        raise nearest("deviation", name, EVERY)
    chosen = Chosen(EVERY[name])
    print(f"{chosen}, link {chosen.deviation.link}: {chosen.deviation.description}")
    print(loop_diff([chosen]))
