"""Every relative link and picture of every notebook and page leads somewhere, down to the heading it names."""

import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from glcic_lite.files import REPOSITORY

PAGES = sorted(
    path
    for pattern in ("*.md", "notebooks/**/*.md", "data/**/*.md", "glcic_lite/**/*.md", "notebooks/**/*.ipynb")
    for path in REPOSITORY.glob(pattern)
    if ".ipynb_checkpoints" not in path.parts
)


def text_of(path):
    """What a reader sees as text: Markdown cells and Markdown outputs of a notebook, without its code; or a page."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        for output in cell.get("outputs", ()):
            parts.append(output.get("data", {}).get("text/markdown", ""))
    return "\n\n".join(parts)


def without_code(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def links(text):
    """Targets of links and pictures, in Markdown and in HTML."""
    text = without_code(text)
    found = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    return [unquote(target) for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path):
    """What follows # in links to a file's headings: as GitHub makes them, and for notebooks as JupyterLab does."""
    headings = re.findall(r"^#+ (.+?)\s*$", without_code(text_of(path)), re.MULTILINE)
    github = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    jupyter = {heading.replace(" ", "-") for heading in headings}
    return github | jupyter if path.suffix == ".ipynb" else github


def broken(path):
    found = []
    for target in links(text_of(path)):
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            found.append(target)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path):
    assert not broken(path)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_work_on_every_system(path):
    """No absolute paths, no backslashes, nothing outside of the repository."""
    for target in links(text_of(path)):
        file = target.partition("#")[0]
        assert not file.startswith("/") and "\\" not in file, target
        if file:
            there = (path.parent / file).resolve()
            assert there.is_relative_to(REPOSITORY), f"{target} leads out of the repository"


def test_lessons_are_called_by_their_names():
    """A link to a lesson that gives its number gives its title, too, as the lesson itself writes it."""
    titles = {
        path.name: nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
        for path in PAGES
        if re.match(r"\d\d_\w+\.ipynb", path.name) and path.parent.name == "notebooks"
    }
    wrong = []
    for path in PAGES:
        for text, target in re.findall(r"\[([^\]]*\b\d\d · [^\]]+)\]\(([^)#\s]+)\)", text_of(path)):
            title = re.sub(r"^(?:← )?(?:Previous: |Next: )?|\s*→$", "", text).strip()
            name = Path(target).name
            if name in titles and title != titles[name]:
                wrong.append(f"{path.name}: {title!r} is called {titles[name]!r}")
    assert not wrong


def test_broken_links_would_be_found(tmp_path):
    (tmp_path / "there.md").write_text("# A · heading, here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n[a](there.md) [b](gone.md) [c](there.md#a--heading-here) [d](there.md#none) [e](#title) [f](#no)\n"
        "`[g](code.md)` [h](https://example.org/gone) <img src='x' alt=''> <img src=\"gone.png\">\n"
    )
    assert broken(page) == ["gone.md", "there.md#none", "#no", "gone.png"]
