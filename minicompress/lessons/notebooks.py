"""The project's own notebooks, wherever they are installed."""

import json
import shutil
from pathlib import Path

from minicompress import expect


def _folders():
    package = Path(__file__).parents[1]
    return package / "notebooks", package.parent / "notebooks"  # installed inside the package; beside it in a checkout


def lessons():
    """{name: path} of the notebooks, in their order; FileNotFoundError if they are not installed.

    >>> "01_from_mnist_to_a_small_file" in lessons()
    True
    """
    for folder in _folders():
        if found := sorted(folder.glob("[0-9][0-9]_*.ipynb")):
            return {path.stem: path for path in found}
    raise FileNotFoundError(f"there are no notebooks in {' or '.join(map(str, _folders()))}")


def read_notebook(path):
    """A notebook as JSON gives it; ValueError for a file that is none."""
    notebook = json.loads(Path(path).read_text("utf-8"))
    fits = isinstance(notebook, dict) and isinstance(notebook.get("cells"), list)
    expect.that(fits, "expected a notebook with a list of cells")
    return notebook


def code_cells(notebook):
    """The sources of the code cells, as text.

    >>> code_cells({"cells": [{"cell_type": "code", "source": ["a = 1\\n", "a"]}, {"cell_type": "markdown"}]})
    ['a = 1\\na']
    """
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def copy_lessons(folder):
    """Copy the notebooks, their solutions and what goes with them into a folder; returns the new paths.

    Raises FileExistsError, before anything is copied, if one of them is there already.
    """
    source, folder = next(iter(lessons().values())).parent, Path(folder)
    files = sorted(file.relative_to(source) for file in source.rglob("*") if file.suffix in (".ipynb", ".md", ".png")
                   and ".ipynb_checkpoints" not in file.parts)
    if there := [str(folder / file) for file in files if (folder / file).exists()]:
        raise FileExistsError(f"{there[0]} is there already" + f", and {len(there) - 1} more" * (len(there) > 1))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, folder / file)
    return [folder / file for file in files]
