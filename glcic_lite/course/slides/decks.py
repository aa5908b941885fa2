"""Slides of the lessons: one HTML file each, with everything in it, so that it opens with a double click, offline.

The notebooks themselves say which cells are on slides, in the slide type of each cell (JupyterLab shows it in the
property inspector); `jupyter nbconvert --to slides` reads the same. What these decks add: reveal.js, pictures and
formulas are in the file; code is left out, unless a cell is tagged `slide-code`; whatever a lesson folds, and what is
only for readers, moves to the speaker's notes (key S).
"""

import base64
import html
import io
import mimetypes
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import nbformat
from PIL import Image

from glcic_lite.course.slides.executed import WIDGET_VIEW, LessonError, fault
from glcic_lite.files import NOTEBOOKS, write_text

SHOW_CODE = "slide-code"  # the tag of a cell whose code the audience should read
SIZES = ((60, 32), (100, 29), (140, 26), (190, 24))  # (most words on a slide, size of their type in pixels)
SMALLEST = 22
BESIDE_PICTURES = 24  # the picture needs the room
LINES_BESIDE_PICTURES = 8  # printed; more get a slide of their own
LONGEST_CREDIT = 60  # words naming photographers
MOST_WORDS = 130  # nobody reads more than that from a wall
WIDTH, HEIGHT = 1280, 720  # of a slide, in pixels
INNER_WIDTH = 1180  # without its margins

# A text is cut before each heading, but not between two headings. (Outside code, no line begins with `# comment`.)
_SECTION = re.compile(r"(?:^#{1,4} .*\n*)*(?:(?!^#{1,4} )[\s\S])+|(?:^#{1,4} .*\n*)+", re.MULTILINE)
_LEFT_OUT = re.compile(r"#+ (?:Exercise \d+:|References$)", re.MULTILINE)
_FOLDED = re.compile(r"<details>\s*<summary>(?:<b>)?(.*?)(?:</b>)?</summary>(.*?)</details>", re.DOTALL)
_FOR_READERS = re.compile(r"^\*\*(?:Needs|Time)\.\*\*.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)
_NAVIGATION = re.compile(r"^\[(?:← Previous|Next:).*\n?.*→\]\([^)]*\)$|^\[← Previous[^\n]*$", re.MULTILINE)
_STAYS = re.compile(r"#|[-*] |\d+\. |\||>|\$\$|\*\*|<|!\[| {4}|```")
_ITEM = re.compile(r"- |\d+\. ")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
_LARGER_BRACKETS = re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])")
_IMAGES = ("image/png", "image/jpeg")
_PICTURE = '<div class="picture"'
_HEADING = re.compile(r"<h[1-4][^>]*>(.*?)</h[1-4]>", re.DOTALL)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{reveal_css}</style>
<style>{code_css}</style>
<style>{deck_css}</style>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script>{reveal_js}</script>
<script>{notes_js}</script>
<script>
Reveal.initialize({{
  width: {width}, height: {height}, margin: 0.02, center: false, hash: true, slideNumber: "c/t", transition: "none",
  controls: false, navigationMode: "linear",  // one key, or a presenter's clicker, steps through everything
  plugins: [RevealNotes]
}});
</script>
</body>
</html>
"""


def build_decks(out: str | Path, notebooks: Iterable[str | Path] | None = None) -> list[Path]:
    """Write the slides of every lesson.

    Args:
        out: a folder, made if it is not there; decks in it are replaced.
        notebooks: the lessons; by default all of the course.

    Returns:
        The decks, one `.html` file for each notebook, named after it.

    Raises:
        LessonError: lessons that are half run or edited; the decks of the others have been written.
        OSError: there is no notebook, or a file cannot be read or written.
    """
    chosen = lessons_of_the_course() if notebooks is None else [Path(path) for path in notebooks]
    Path(out).mkdir(parents=True, exist_ok=True)
    decks, faults = [], []
    for path in chosen:
        if found := fault(path):
            faults.append(found)
            continue
        decks.append(Path(out) / f"{path.stem}.html")
        write_text(decks[-1], deck(path))
    if faults:
        raise LessonError("; ".join(faults))
    return decks


def lessons_of_the_course() -> list[Path]:
    """All lessons, in order.

    Raises:
        FileNotFoundError: this is not a copy of the repository.
    """
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise FileNotFoundError(f"{NOTEBOOKS}: no lessons here; slides are made in a copy of the course's repository")
    return found


def deck(path: str | Path) -> str:
    """The slides of one executed notebook, as a page of HTML that loads nothing."""
    path = Path(path)
    notebook = nbformat.read(path, as_version=4)
    return page(title_of(notebook) or path.stem, columns_of(notebook.cells, path.parent))


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading of a lesson."""
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    return title[1] if title else ""


def page(title: str, columns: list[list[dict]]) -> str:
    """A deck as a page of HTML. Each slide of each column is a dict of `parts` and `notes`, both lists of HTML."""
    from pygments.formatters import HtmlFormatter

    return _PAGE.format(
        title=html.escape(title),
        reveal_css=_file("reveal/reveal.css"),
        reveal_js=_script("reveal/reveal.js"),
        notes_js=_script("reveal/notes.js"),
        code_css=HtmlFormatter(style="default").get_style_defs(".highlight"),
        deck_css=_file("deck.css"),
        slides="\n".join(map(_stack, columns)),
        width=WIDTH,
        height=HEIGHT,
    )


def columns_of(cells: list, folder: Path) -> list[list[dict]]:
    """The deck: columns of slides; each slide has its parts and its notes, as HTML."""
    columns: list[list[dict]] = []
    for cell in cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind == "skip" or cell.cell_type == "raw":
            continue
        if cell.cell_type == "markdown":
            shown = [
                (_kind_of(text) if position else kind, _with_pictures_apart(_markdown(text, folder)), notes)
                for position, (text, notes) in enumerate(text_slides(cell.source))
            ]
        else:
            slides, notes = _code_cell(cell, folder)
            shown = [("subslide" if position else kind, parts, notes) for position, parts in enumerate(slides)]
        for kind, parts, notes in shown:
            if kind == "slide" or not columns:
                columns.append([])
            if kind in ("slide", "subslide") or not columns[-1]:
                columns[-1].append({"parts": [], "notes": []})
            slide = columns[-1][-1]
            notes = [_markdown(note, folder) for note in notes]
            if kind == "notes":
                parts, notes = [], [*parts, *notes]
            if kind == "fragment":
                parts = [part.replace('class="', 'class="fragment ', 1) for part in parts]
            slide["parts"] += parts
            slide["notes"] += notes
    return columns


def _kind_of(text: str) -> str:
    return "slide" if text.startswith("## ") else "subslide"


def _stack(slides: list[dict]) -> str:
    """A column. Slides without a heading of their own say in small type what they continue."""
    sections, heading = [], ""
    for slide in slides:
        own = [found for part in slide["parts"] if not part.startswith(_PICTURE) for found in _HEADING.findall(part)]
        sections.append(_section(**slide, continues="" if own else heading))
        heading = own[-1] if own else heading
    return "<section>\n" + "\n".join(sections) + "\n</section>" if len(sections) > 1 else sections[0]


def _section(parts: list[str], notes: list[str], continues: str) -> str:
    words = sum(count_words(re.sub(r"<[^>]+>", " ", part)) for part in parts if not part.startswith('<div class="html'))
    size = next((size for most, size in SIZES if words <= most), SMALLEST)
    if any(part.startswith(_PICTURE) for part in parts):
        size = min(size, BESIDE_PICTURES)
    aside = f'<aside class="notes">{"".join(notes)}</aside>' if notes else ""
    body = "\n".join(parts)
    head = f'<p class="head">{continues}</p>' if continues else ""
    return f'<section>{head}<div class="page" style="font-size:{size}px">\n{body}\n</div>{aside}</section>'


def text_slides(source: str) -> list[tuple[str, list[str]]]:
    """What a Markdown cell puts on slides: for each slide its Markdown, and what goes into the speaker's notes.

    A heading begins a new slide. Exercises, references and links to the neighbours are left out. Folded text, what a
    reader needs and how long it takes, and paragraphs that would make a slide longer than `MOST_WORDS`, go to the
    notes; lists, tables, formulas, and paragraphs that begin in bold (**Verdict**) stay, and may fill a second slide.
    """
    source = re.sub(r"^\*\*Goals\.\*\* ", "### Goals\n\n", source, flags=re.MULTILINE)
    found = []
    for part in _SECTION.findall(source):
        if _LEFT_OUT.match(part):
            continue
        notes = [f"**{folded[1]}**\n\n{folded[2]}" for folded in _FOLDED.finditer(part)]
        part = _FOLDED.sub("", part)
        notes += [paragraph[0] for paragraph in _FOR_READERS.finditer(part)]
        part = _NAVIGATION.sub("", _FOR_READERS.sub("", part))
        blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", part) if block.strip()]
        spoken = []
        for position in reversed(range(1, len(blocks))):  # the last paragraphs first
            if count_words("\n".join(blocks)) <= MOST_WORDS:
                break
            if not _STAYS.match(blocks[position]) and not blocks[position - 1].startswith("#"):
                spoken.insert(0, blocks.pop(position))
        notes = [*spoken, *notes]
        pages = -(-count_words("\n".join(blocks)) // round(MOST_WORDS * 1.15))
        most = count_words("\n".join(blocks)) / max(1, pages) + 25  # pages of about the same length
        slide: list[str] = []
        for block in _shorter(blocks):
            if slide and count_words("\n".join([*slide, block])) > most:
                found.append((_joined(slide), notes))
                slide, notes = [], []
            slide.append(block)
        if slide:
            found.append((_joined(slide), notes))
        elif notes and found:
            found[-1][1].extend(notes)
    return found


def _shorter(blocks: list[str]) -> Iterable[str]:
    """Long lists item by item, so that they can continue on the next slide."""
    for block in blocks:
        if _ITEM.match(block) and count_words(block) > MOST_WORDS / 2:
            yield from re.split(r"\n(?=- |\d+\. )", block)
        else:
            yield block


def _joined(blocks: list[str]) -> str:
    return "".join(
        ("\n" if _ITEM.match(block) and _ITEM.match(before) else "\n\n" if before else "") + block
        for before, block in zip(["", *blocks], blocks, strict=False)
    )


def count_words(text: str) -> int:
    """Words as a reader counts them: neither the rules of tables nor tags."""
    return len(re.findall(r"\w[\w'’.,-]*", re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)))


def _with_pictures_apart(text: str) -> list[str]:
    """Pictures between paragraphs become parts of the slide, which shrink to the height that is left."""
    from bs4 import BeautifulSoup

    parts: list[str] = []
    words = ""
    for child in [*BeautifulSoup(text, "html.parser").children, None]:
        lone = getattr(child, "name", None) == "p" and not child.text.strip() and len(child.find_all("img")) == 1
        picture = child.find("img") if lone else child if getattr(child, "name", None) == "img" else None
        if (child is None or picture) and words.strip():
            parts.append(f'<div class="text">{words.strip()}</div>')
            words = ""
        if picture and "formula" not in picture.get("class", ()):
            parts.append(_picture(picture["src"], picture.get("alt", "")))
        elif child is not None:
            words += str(child)
    return parts


def _code_cell(cell, folder: Path) -> tuple[list[list[str]], list[str]]:
    """What a code cell has output, and its code where it is tagged; and what only the speaker sees.

    Each picture gets a slide, with its caption; so do many printed lines beside one, and the parts of a long table.
    """
    slides: list[list[str]] = [[]]
    notes = []

    def pictured() -> bool:
        return any(part.startswith(_PICTURE) for part in slides[-1])

    if SHOW_CODE in cell.metadata.get("tags", ()):
        slides[-1].append(_highlighted(cell.source))
    for output in _merged(cell.outputs):
        data = output.get("data", {})
        image = next((kind for kind in _IMAGES if kind in data), None)
        if output.output_type == "stream":
            if output.name == "stdout" and output.text.strip():
                if pictured() and output.text.strip().count("\n") >= LINES_BESIDE_PICTURES:
                    slides.append([])
                slides[-1].append(_printed(output.text))
        elif image:
            printed = [part.count("\n") for part in slides[-1] if part.startswith("<pre")]
            if pictured() or sum(printed) >= LINES_BESIDE_PICTURES:
                slides.append([])
            slides[-1].append(_output_picture(cell, output, image))
        elif "text/markdown" in data:
            text = data["text/markdown"]
            credit = re.match(r"\*?Photos?:", text)
            if credit and count_words(text) > LONGEST_CREDIT:
                notes.append(text)
                text = "*Photos: credits in the notes (key S).*"
            for position, part in enumerate(_table_in_parts(text)):
                if position:
                    slides.append([])
                kind = "caption credit" if credit else "caption"
                slides[-1].append(f'<div class="{kind}">{_markdown(part, folder)}</div>')
        elif "text/html" in data:
            slides[-1].append(f'<div class="html-output">{data["text/html"]}</div>')
        elif "text/plain" in data and WIDGET_VIEW not in data:  # a widget's picture is an output of its own
            slides[-1].append(_printed(data["text/plain"]))
    return slides, notes


def _table_in_parts(text: str) -> list[str]:
    """Markdown; a table in it that is too long for a slide comes in several parts, each with the table's head."""
    head = re.search(r"^\|.*\|\n\|[-:| ]+\|$", text, re.MULTILINE)
    words, room = count_words(text), MOST_WORDS * 1.75  # a table is looked up, not read
    if not head or words <= room:
        return [text]
    rows, most = text[head.end() :].strip("\n").split("\n"), words / (words // room + 1)
    parts, before = [[]], text[: head.start()]
    for row in rows:
        if parts[-1] and count_words("\n".join([*parts[-1], row])) > most * 1.25:
            parts.append([])
        parts[-1].append(row)
    return [before + "\n".join([head[0], *parts[0]]), *("\n".join([head[0], *part]) for part in parts[1:])]


def _merged(outputs: list) -> list:
    """A cell's outputs; what it printed in several pieces is joined."""
    merged: list = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            merged[-1] = nbformat.v4.new_output("stream", name=output.name, text=last.text + output.text)
        else:
            merged.append(output)
    return merged


def _output_picture(cell, output, kind: str) -> str:
    """A picture among the outputs. Without an alternative text of its own it gets the caption that follows it."""
    after = cell.outputs[[id(other) for other in cell.outputs].index(id(output)) + 1 :]
    caption = next((other.data["text/markdown"] for other in after if "text/markdown" in other.get("data", {})), "")
    alternative = output.metadata.get(kind, {}).get("alt") or re.sub(r"[*`]", "", caption)
    return _picture(f"data:{kind};base64,{output.data[kind]}".replace("\n", ""), alternative)


def _picture(source: str, alternative: str) -> str:
    """A picture that may become as large as the slide allows, without empty space above and below it."""
    content = io.BytesIO(base64.b64decode(source.partition(",")[2]))
    with Image.open(content, formats=["PNG", "JPEG", "GIF", "WEBP"]) as picture:
        highest = min(picture.height * 2, INNER_WIDTH * picture.height / picture.width)
    alternative = html.escape(alternative, quote=True)
    return f'{_PICTURE} style="max-height:{highest:.0f}px"><img src="{source}" alt="{alternative}"></div>'


def _printed(text: str) -> str:
    text = text.strip("\n")
    return f'<pre class="printed" style="font-size:{_type_size(text)}px">{html.escape(text)}</pre>'


def _highlighted(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    lines = highlight(code, PythonLexer(), HtmlFormatter())
    return f'<div class="code" style="font-size:{_type_size(code)}px">{lines}</div>'


def _type_size(text: str) -> int:
    """The type size, in pixels, at which the longest line of a fixed-width text fits; even longer lines are wrapped."""
    longest = max(len(line) for line in text.splitlines())
    return max(14, min(22, int((INNER_WIDTH - 30) / (0.605 * longest))))


def _markdown(source: str, folder: Path) -> str:
    """Markdown as HTML: pictures and formulas inside it, links to lessons turned into links to their slides."""
    from bs4 import BeautifulSoup
    from nbconvert.filters import markdown2html

    page = BeautifulSoup(markdown2html(source), "html.parser")
    for anchor in page.select("a.anchor-link"):
        anchor.decompose()
    for link in page.select("a[href]"):
        link["href"] = re.sub(r"^(\d\d_\w+)\.ipynb", r"\1.html", link["href"])
        link["target"] = "_blank"
    for picture in page.select("img[src]"):
        if not picture["src"].startswith("data:"):
            picture["src"] = _embedded(folder / picture["src"])
    for text in page.find_all(string=_FORMULA):
        if not text.find_parent(["code", "pre"]):
            drawn = _FORMULA.sub(lambda m: _formula(m[1] or m[2], m[1] is not None), html.escape(text, quote=False))
            text.replace_with(BeautifulSoup(drawn, "html.parser"))
    return str(page)


def _embedded(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _formula(tex: str, block: bool) -> str:
    """A formula as a picture (SVG) on the line of its text; matplotlib draws it, so that no MathJax is needed."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser, math_to_image

    tex = html.unescape(" ".join(tex.split()))
    # The same, in commands that matplotlib knows.
    drawable = "$" + _LARGER_BRACKETS.sub("", tex).replace(r"\lVert", r"\|").replace(r"\rVert", r"\|") + "$"
    font = FontProperties(size=20, math_fontfamily="stix")
    try:
        _, height, depth, *_ = MathTextParser("path").parse(drawable, dpi=72, prop=font)
    except ValueError:  # a command that only MathJax knows: better the formula's TeX than no deck
        return f"<code>{html.escape(tex)}</code>"
    picture = io.BytesIO()
    math_to_image(drawable, picture, prop=font, dpi=72, format="svg")
    encoded = base64.b64encode(picture.getvalue()).decode()
    scale = 1.6 if block else 1.25  # points of the picture in pixels of the slide
    place = "block" if block else "inline"
    return (
        f'<img class="formula {place}" alt="{html.escape(tex, quote=True)}" src="data:image/svg+xml;base64,{encoded}" '
        f'style="height:{height * scale:.1f}px;vertical-align:{-depth * scale:.1f}px">'
    )


def _file(name: str) -> str:
    return (files("glcic_lite.course.slides") / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """JavaScript that may stand within <script>: nothing in it ends the element early."""
    return _file(name).replace("</script", "<\\/script")
