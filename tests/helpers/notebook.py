"""The lesson's notebook: executed in a kernel of its own, and the outputs that are kept in it.

    python -m tests.helpers.notebook     executes it and writes its outputs anew

Kept are results and what is printed. Progress and warnings, which go to stderr, aren't: they have
times and a machine's folders in them.
"""

import itertools
import json
import re
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT

NOTEBOOK = ROOT / "docs" / "lesson.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"  # a bar, where ipywidgets is installed


def read() -> Any:
    """The notebook as it stands."""
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(**parameters: int) -> Any:
    """The notebook, executed from top to bottom; a cell that fails raises.

    Args:
        parameters: values that the cell tagged `parameters` gets in place of its own.
    """
    notebook = read()
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    for name, value in parameters.items():
        cell.source, count = re.subn(
            rf"^{name} = \S+", f"{name} = {value}", cell.source, flags=re.M
        )
        assert count == 1, name
    client = NotebookClient(
        notebook, timeout=int(LIMIT), record_timing=False, resources={"metadata": {"path": ROOT}}
    )
    return client.execute()


def kept(outputs: list[Any]) -> list[Any]:
    """Those of a cell's outputs that are kept in the file; what is printed in one piece."""
    printed = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    whole = [nbformat.v4.new_output("stream", name="stdout", text=printed)] if printed else []
    results = [o for o in outputs if o.output_type != "stream" and WIDGET not in o.get("data", {})]
    return [*whole, *results]


def progress(notebook: Any) -> str:
    """All that an executed notebook's bars showed: as text, or, with ipywidgets, at their end."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    printed = [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    return "".join([*printed, json.dumps(notebook.metadata.get("widgets"), ensure_ascii=False)])


def shown(notebook: Any) -> list[list[str]]:
    """What each code cell shows as text, each number as 0: they are a machine's own."""
    return [
        [_without_numbers(_text(output)) for output in kept(cell.outputs)]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    return str(output.data.get("text/markdown") or output.data["text/plain"])


def _without_numbers(text: str) -> str:
    """Also without what their length and number move: blanks, and rows that are alike then."""
    text = re.sub(r"'[0-9a-f]{32}'|\b[0-9a-f]{12}\b|\d+(\.\d+)?(e[+-]?\d+)?", "0", text)
    lines = re.sub(r"[ -]+", " ", text).splitlines()
    return "\n".join(line for line, _ in itertools.groupby(lines))


def main() -> None:
    """Execute the notebook as it stands, and keep its outputs."""
    notebook = execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = kept(cell.outputs)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
