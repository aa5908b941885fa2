"""Execute notebooks in a clean kernel, and find the errors that an ordinary execution overlooks.

A cell that raises stops the execution; that is the easy case. An exception in a widget's callback does not: it ends up
in an Output widget, in the log, on standard error, or nowhere. So after the last cell every slider, menu and check box
of the notebook is moved to its ends and back, in the kernel, and all these places are searched.

    python tests/helpers/notebook_runner.py notebooks/*.ipynb            # execute, say what failed
    python tests/helpers/notebook_runner.py --write notebooks/*.ipynb    # and keep the outputs
"""

import argparse
import asyncio
import json
import os
import sys
import time
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from glcic_lite.course.slides.executed import STAMP, WIDGET_VIEW, sources_hash

SECONDS = 900  # for one cell; on a busy machine a training takes many times as long

# Runs in the notebook's kernel after its last cell. It prints one JSON list of faults.
DRIVE_WIDGETS = """
def _drive_widgets():
    import json, sys, traceback
    if "ipywidgets" not in sys.modules:
        return print("[]")
    import ipywidgets
    from ipywidgets.widgets import widget as _module
    faults = []
    instances = getattr(_module, "_instances", None)
    if instances is None:
        instances = ipywidgets.Widget.widgets
    for control in list(instances.values()):
        if not getattr(control, "drivable", True) or getattr(control, "disabled", False):
            continue
        if isinstance(control, (ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.BoundedIntText)):
            values = [control.min, control.max]
        elif isinstance(control, (ipywidgets.Dropdown, ipywidgets.SelectionSlider, ipywidgets.ToggleButtons)):
            values = [value for _, value in control._options_full]
        elif isinstance(control, (ipywidgets.Checkbox, ipywidgets.ToggleButton)):
            values = [not control.value]
        else:
            continue
        before = control.value
        for value in [*values, before]:
            try:
                control.value = value
            except Exception:
                faults.append(f"{control.description or type(control).__name__} = {value!r}: " + traceback.format_exc())
    for output in instances.values():
        if isinstance(output, ipywidgets.Output):
            for entry in output.outputs:
                if entry.get("output_type") == "error" or entry.get("name") == "stderr":
                    faults.append("in an Output widget: " + str(entry.get("evalue") or entry.get("text")))
    explorers = sys.modules.get("glcic_lite.course.shared.explorers")
    faults += explorers.callback_errors if explorers else []
    print(json.dumps(faults))
_drive_widgets()
"""


class NotebookError(AssertionError):
    """A notebook that does not run through; the message says where and why."""


class _Client(NotebookClient):
    """Keeps what a callback reports outside of any cell: error messages, and errors captured in Output widgets."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.faults: list[str] = []

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "error":
            self.faults.append(f"{content['ename']}: {content['evalue']}")
        if msg["msg_type"] in ("comm_open", "comm_msg"):
            outputs = (content.get("data") or {}).get("state", {}).get("outputs") or ()
            self.faults += [f"in an Output widget: {o['evalue']}" for o in outputs if o.get("output_type") == "error"]
        return super().process_message(msg, cell, cell_index)


def execute(path: str | Path, seconds: float = 2 * SECONDS) -> nbformat.NotebookNode:
    """Run a notebook top to bottom in a fresh kernel, in its own folder.

    Args:
        path: the notebook.
        seconds: for all of it. Once in some hundred runs a message between kernel and client gets lost (seen with
            ipykernel 7.4 and pyzmq 27.3), and the two would wait for each other for ever: then it is run once
            more, with a warning.

    Returns:
        The executed notebook, without widget state.

    Raises:
        NotebookError: an error in a cell, in a widget's callback, or a warning on standard error.
        TimeoutError: it came to no end, twice.
    """
    try:
        return _execute(Path(path), seconds)
    except TimeoutError as error:
        warnings.warn(f"{error}; once more", stacklevel=2)
        return _execute(Path(path), seconds)


async def _run(client: NotebookClient, seconds: float) -> None:
    """All cells; not `asyncio.wait_for`, since nbclient takes a cancelled cell for a kernel that died."""
    task = asyncio.ensure_future(client.async_execute())
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise TimeoutError(f"no end after {seconds} s")
    task.result()


def _execute(path: Path, seconds: float) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    cells = len(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(DRIVE_WIDGETS))
    client = _Client(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=True,  # without it nbclient stumbles over Output widgets
    )
    try:
        asyncio.run(_run(client, seconds))
    except CellExecutionError as error:
        raise NotebookError(f"{path.name}: {error}") from None
    last = notebook.cells.pop()
    assert len(notebook.cells) == cells
    faults = list(client.faults)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                faults.append(f"{output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                faults.append(f"on standard error: {output.text}")
    printed = "".join(o.text for o in last.outputs if o.output_type == "stream" and o.name == "stdout")
    try:
        faults += json.loads(printed.strip().splitlines()[-1])
    except (IndexError, ValueError):
        faults.append("the widgets could not be driven: " + str(last.outputs))
    if faults:
        raise NotebookError(f"{path.name}: " + "\n".join(dict.fromkeys(faults)))
    return notebook


def to_print(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """As it is committed: the pictures that stand in for widgets stay, links to a dead kernel's widgets go."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec", "language_info")}
    notebook.metadata[STAMP] = sources_hash(notebook)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"  # so that a new execution changes outputs only
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "slideshow")}
        if cell.cell_type == "code":
            for output in cell.outputs:
                if "data" in output:
                    output.data.pop(WIDGET_VIEW, None)
            cell.outputs = [output for output in cell.outputs if "data" not in output or output.data]
    return notebook


def write(notebook: nbformat.NotebookNode, path: str | Path) -> None:
    """Replace the file whole."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    nbformat.write(notebook, partial)
    os.replace(partial, path)


def _processor_seconds() -> float:
    """What the kernels so far have used: on a busy machine it says more than the clock does."""
    used = os.times()
    return used.children_user + used.children_system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the file")
    arguments = parser.parse_args()
    failed = 0
    for path in arguments.notebooks:
        start, used = time.perf_counter(), _processor_seconds()
        try:
            notebook = to_print(execute(path))
        except NotebookError as error:
            failed += 1
            print(f"FAILED {error}", file=sys.stderr)
            continue
        if arguments.write:
            write(notebook, path)
        size = len(nbformat.writes(notebook)) / 1e6
        print(
            f"{path.name}: {time.perf_counter() - start:.0f} s, of which {_processor_seconds() - used:.0f} s on the "
            f"processor; {size:.2f} MB"
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
