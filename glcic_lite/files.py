"""Where the repository keeps its things, and how a file is written whole: stated here and nowhere else."""

import csv
import io
import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED_WEIGHTS = PACKAGE / "weights" / "lite"
SHIPPED_ABLATIONS = PACKAGE / "weights" / "ablations"
REPOSITORY = PACKAGE.parent  # what follows is there only where the package lies in the repository
DATA = REPOSITORY / "data"
NOTEBOOKS = REPOSITORY / "notebooks"
MASK_SEPARATOR = "--"  # "harbour--boat.png" and "harbour--crane.png" are two masks for "harbour.jpg"


def csv_text(rows: list[dict], header: list[str] | None = None) -> str:
    """The text of a CSV file with these rows, all with the names in the header or, without one, of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=header or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # a file's name need not be text
    os.replace(partial, path)
