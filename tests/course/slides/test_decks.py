"""Slides: what each lesson puts on them, that they load nothing from elsewhere, and that they fit in a real browser."""

import base64
import io
import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from typer.testing import CliRunner

from glcic_lite.__main__ import app
from glcic_lite.course.slides.decks import HEIGHT, MOST_WORDS, SHOW_CODE, build_decks, count_words, deck, text_slides
from glcic_lite.course.slides.executed import LessonError
from glcic_lite.files import REPOSITORY
from jupyterlab_driver import CHROMIUM_OPTIONS, find_chromium

LESSONS = sorted((REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
TYPES = {"slide", "subslide", "fragment", "-", "skip", "notes"}
FEWEST, MOST = 10, 75  # slides
TALLEST = 2  # pixels by which a slide may be higher than the screen: rounding

lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """All decks, by the number of their lesson."""
    return {path.name[:2]: path for path in build_decks(tmp_path_factory.mktemp("decks"))}


@pytest.fixture(scope="module")
def pages(decks):
    """The decks, parsed, by the number of their lesson."""
    return {number: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for number, path in decks.items()}


def slides_of(page):
    return page.select(".slides .page")


# The notebooks


@lessons
def test_every_cell_says_whether_it_is_on_a_slide(path):
    cells = nbformat.read(path, as_version=4).cells
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in cells]
    without = [position for position, kind in enumerate(kinds) if kind not in TYPES]
    assert not without, f"cells without a slide type: {without}"
    assert kinds[0] == "slide", "the title begins the deck"
    first_code = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
    assert kinds[first_code] == "skip", "the set-up is not for projecting"


@lessons
def test_exercises_are_for_the_learners(path):
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "code" and re.search(r"^checks\.\w+\(", cell.source, re.MULTILINE):
            assert cell.metadata.slideshow.slide_type == "skip", cell.source[:60]


# The decks


@lessons
def test_a_deck_has_the_length_of_a_lecture(path, pages):
    page = pages[path.name[:2]]
    assert FEWEST <= len(slides_of(page)) <= MOST
    title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
    assert page.title.text == slides_of(page)[0].h1.text == title
    assert "Recap" in [heading.text for heading in page.select(".page h2")]


@lessons
def test_no_slide_is_empty_or_a_wall_of_words(path, pages):
    for slide in slides_of(pages[path.name[:2]]):
        text = " ".join(part.get_text(" ") for part in slide.select(".text") if not part.table)
        assert count_words(text) <= 1.25 * MOST_WORDS, text[:200]
        assert slide.get_text(strip=True) or slide.img


@lessons
def test_slides_hold_no_exercises_and_no_hints(path, pages):
    page = pages[path.name[:2]]
    shown = " ".join(slide.get_text(" ") for slide in slides_of(page))
    for unwanted in (r"Exercise \d+: ", r"Hint \d", "not attempted", "Your code", "← Previous", r"\bReferences\b"):
        assert not re.search(unwanted, shown), unwanted
    assert not page.select(".slides details"), "nobody can unfold anything on a wall"


@lessons
def test_every_picture_has_alternative_text(path, pages):
    for picture in pages[path.name[:2]].select("img"):
        assert picture.get("alt", "").strip(), str(picture)[:80]


@lessons
def test_nothing_is_loaded_from_elsewhere(path, decks, pages):
    page = pages[path.name[:2]]
    for tag in page.find_all(True):
        for name in ("src", "srcset", "data", "poster", "action"):
            assert tag.get(name, "data:").startswith("data:"), f"<{tag.name} {name}={tag[name][:80]!r}>"
    assert not page.find_all(["link", "iframe", "object", "embed", "base"])
    assert not page.select("script[src]")
    for style in [*(tag.text for tag in page.find_all("style")), *(tag["style"] for tag in page.select("[style]"))]:
        assert "@import" not in style
        assert all(target.startswith("data:") for target in re.findall(r"url\(\s*['\"]?([^)'\"]*)", style))
    assert "$" not in " ".join(text for text in slides_of(page)[0].stripped_strings), "a formula is not drawn"


def test_links_between_lessons_lead_to_their_slides(decks, pages):
    for number, page in pages.items():
        for link in page.select(".slides a[href]"):
            if "://" not in link["href"] and not link["href"].startswith("#"):
                assert (decks[number].parent / link["href"]).exists(), link


def test_formulas_are_drawn(pages):
    """Every formula in the lessons, each as a picture with its TeX as alternative text."""
    for path in LESSONS:
        source = "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
        if re.search(r"^\s*\$\$", source, re.MULTILINE):
            pictures = pages[path.name[:2]].select("img.formula.block")
            assert pictures and all(picture["src"].startswith("data:image/svg+xml") for picture in pictures)


# How a notebook becomes slides


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def cell(kind, source, slide_type, tags=(), outputs=()):
    made = nbformat.v4.new_markdown_cell(source) if kind == "text" else nbformat.v4.new_code_cell(source)
    made.metadata = {"slideshow": {"slide_type": slide_type}, "tags": list(tags)}
    if outputs:
        made.outputs = list(outputs)
    return made


def made(tmp_path, *cells):
    path = tmp_path / "10_test.ipynb"
    nbformat.write(notebook(*cells), path)
    return BeautifulSoup(deck(path), "html.parser")


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_slide_types_arrange_the_deck(tmp_path):
    page = made(
        tmp_path,
        cell("text", "# A", "slide"),
        cell("text", "more of A", "-"),
        cell("text", "below A", "subslide"),
        cell("text", "never seen", "skip"),
        cell("text", "said aloud", "notes"),
        cell("text", "# B", "slide"),
        cell("text", "one by one", "fragment"),
    )
    columns = page.select(".slides > section")
    assert len(columns) == 2
    assert [section.select_one(".page").get_text(" ", strip=True) for section in columns[0].select("section")] == [
        "A more of A",
        "below A",
    ]
    assert columns[0].select("section")[1].aside.get_text(strip=True) == "said aloud"
    assert columns[1].select_one(".fragment").get_text(strip=True) == "one by one"
    assert "never seen" not in page.select_one(".slides").text


def test_code_is_shown_where_it_is_tagged(tmp_path):
    page = made(
        tmp_path,
        cell("text", "# A", "slide"),
        cell("code", "secret = 1", "subslide", outputs=[printed("out"), printed("put")]),
        cell("code", "shown = 1", "subslide", [SHOW_CODE], outputs=[printed("second")]),
    )
    text = page.select_one(".slides").text
    assert "secret" not in text and "shown" in text
    assert [pre.text for pre in page.select("pre.printed")] == ["output", "second"], "one box for what a cell prints"


def test_each_picture_gets_a_slide_and_its_caption_as_alternative_text(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    pixel, outputs = base64.b64encode(buffer.getvalue()).decode(), []
    for number in (1, 2):
        outputs.append(nbformat.v4.new_output("display_data", {"image/png": pixel}))
        outputs.append(nbformat.v4.new_output("display_data", {"text/markdown": f"*Picture {number} & more.*"}))
    page = made(tmp_path, cell("text", "# A", "slide"), cell("code", "", "subslide", outputs=outputs))
    assert [slide.img and slide.img["alt"] for slide in slides_of(page)] == [
        None,
        "Picture 1 & more.",
        "Picture 2 & more.",
    ]


def test_what_is_too_much_beside_a_picture_gets_slides_of_its_own(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    outputs = [
        nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(buffer.getvalue()).decode()}),
        nbformat.v4.new_output("display_data", {"text/markdown": "*Photos: " + "somebody (CC0), " * 50 + "*"}),
        printed("a line\n" * 20),
    ]
    page = made(tmp_path, cell("text", "# A", "slide"), cell("code", "", "subslide", outputs=outputs))
    slides = slides_of(page)
    assert len(slides) == 3 and slides[1].img and slides[2].pre
    assert "somebody" not in slides[1].text and "somebody" in page.aside.text, "the credits are in the notes"


def test_a_long_table_continues_with_its_head(tmp_path):
    rows = "\n".join(f"| {number} | {'word ' * 25} |" for number in range(20))
    table = nbformat.v4.new_output("display_data", {"text/markdown": f"Before.\n\n| a | b |\n|---|---|\n{rows}"})
    page = made(tmp_path, cell("text", "# A", "slide"), cell("code", "", "subslide", outputs=[table]))
    tables = page.select("table")
    assert len(tables) == len(slides_of(page)) - 1 > 2
    assert all(table.th.text == "a" for table in tables)
    assert [row.td.text for table in tables for row in table.select("tbody tr")] == [str(n) for n in range(20)]


def test_pictures_of_the_folder_are_put_into_the_page(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
    page = made(tmp_path, cell("text", '# A\n\n<img src="black.png" width="640" alt="nothing">\n\nafter', "slide"))
    picture = page.select_one(".picture img")
    assert picture["src"].startswith("data:image/png;base64,") and picture["alt"] == "nothing"


def test_no_script_ends_the_page_early(pages):
    for page in pages.values():
        assert [tag.text.strip().startswith("Reveal.initialize") for tag in page.select("body > script")] == [
            False,
            False,
            True,
        ]
        assert page.body.find_all(recursive=False)[0]["class"] == ["reveal"]
        assert not page.body.find(string=re.compile("RevealNotes"), recursive=False)


def test_folded_text_goes_to_the_notes():
    text, notes = text_slides("## Title\n\nWords.\n\n<details><summary>Answer</summary>\n\nForty-two.\n\n</details>")[0]
    assert text == "## Title\n\nWords." and "Forty-two." in notes[0]


def test_a_cell_is_cut_at_its_headings_and_loses_its_exercise():
    source = "The end.\n\n#### Exercise 1: try (5 minutes, easy)\n\nDo it.\n\n## Next\n\n### At once\n\nGo on."
    assert [text for text, _ in text_slides(source)] == ["The end.", "## Next\n\n### At once\n\nGo on."]


def test_a_slide_without_a_heading_says_what_it_continues(tmp_path):
    page = made(
        tmp_path,
        cell("text", "## One\n\nwords", "slide"),
        cell("text", "no heading", "subslide"),
        cell("text", "### Its *own*", "subslide"),
        cell("text", "again none", "subslide"),
        cell("text", "without a heading in a new column", "slide"),
    )
    slides = [slide for slide in page.find_all("section") if not slide.find("section")]
    heads = [slide.find(class_="head") for slide in slides]
    assert [head and head.text for head in heads] == [None, "One", None, "Its own", None]


def test_long_text_is_left_to_the_speaker_but_for_what_counts():
    plain, bold = "plain words " * 60, "**Verdict: holds.** " + "bold words " * 40
    ((text, notes),) = text_slides(f"## Title\n\n{bold}\n\n{plain}")
    assert "Verdict" in text and "plain" not in text and "plain" in notes[0]
    items = "\n".join(f"- item {i} " + "word " * 30 for i in range(8))
    parts = text_slides(f"## Title\n\n{items}")
    assert len(parts) == 2 and sum(text.count("- item") for text, _ in parts) == 8
    assert all(text.count("- item") >= 3 for text, _ in parts), "about equally full"


def test_a_comment_in_code_is_not_a_heading():
    assert len(text_slides("## Title\n\n    # a comment\n    code()")) == 1


def test_a_formula_that_cannot_be_drawn_is_written_out(tmp_path):
    page = made(tmp_path, cell("text", "# A\n\n$\\nosuchcommand x$ and $\\big[\\lVert x\\rVert\\big]$", "slide"))
    assert page.code.text == "\\nosuchcommand x" and len(page.select("img.formula")) == 1


def test_half_run_lessons_are_named_and_the_others_get_their_decks(tmp_path):
    text, code = cell("text", "# A", "slide"), cell("code", "print(1)", "-")
    nbformat.write(notebook(text), tmp_path / "01_whole.ipynb")
    nbformat.write(notebook(text, code), tmp_path / "02_half.ipynb")
    with pytest.raises(LessonError, match="02_half.ipynb: none of its cells.*Run All Cells"):
        build_decks(tmp_path / "decks", sorted(tmp_path.glob("*.ipynb")))
    assert [path.name for path in (tmp_path / "decks").iterdir()] == ["01_whole.html"]


def test_the_command_writes_the_decks(tmp_path):
    result = CliRunner().invoke(app, ["slides", "-o", str(tmp_path / "decks")])
    assert result.exit_code == 0, result.output
    assert sorted(path.stem for path in (tmp_path / "decks").iterdir()) == [path.stem for path in LESSONS]


# In a browser

MEASURE = """() => {
    const page = Reveal.getCurrentSlide().querySelector('.page');
    const inner = page.getBoundingClientRect(), scale = Reveal.getScale();
    const parts = [...page.children].map((part) => part.getBoundingClientRect());
    return {
        over: Math.max(
            ...parts.map((part) => part.bottom - inner.bottom),
            ...parts.map((part) => inner.top - part.top),
            ...[...page.parentElement.querySelectorAll('.head')].map(
                (head) => head.getBoundingClientRect().bottom - Math.min(...parts.map((part) => part.top))),
            ...[...page.querySelectorAll('pre, table')].map((part) => part.scrollWidth - page.clientWidth),
        ) / scale,
        small: [...page.querySelectorAll('.picture')]
            .map((part) => [part.getBoundingClientRect().height / scale, parseFloat(part.style.maxHeight)])
            .filter(([height, most]) => height < 280 && height < most - 1),  // neither high nor as wide as the slide
        words: page.innerText.slice(0, 60),
        last: Reveal.isLastSlide(),
    };
}"""


@pytest.fixture(scope="module")
def browser():
    """Chromium without a network."""
    playwright = pytest.importorskip("playwright.sync_api")
    if find_chromium() is None:
        pytest.skip("no Chromium is installed, so nothing can be tried in a browser")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)
        context = chromium.new_context(viewport={"width": 1280, "height": HEIGHT}, offline=True)
        context.set_default_timeout(60_000)
        yield context
        chromium.close()


@pytest.mark.browser
@lessons
def test_every_slide_fits_and_nothing_is_missed_offline(path, decks, browser):
    page = browser.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url[:100]))
    page.on("requestfailed", lambda request: failed.append(request.url[:100]))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(decks[path.name[:2]].as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    found = [page.evaluate(MEASURE)]
    while not found[-1]["last"]:
        page.keyboard.press("ArrowRight")  # as a presenter's remote control does
        found.append(page.evaluate(MEASURE))
        assert len(found) <= MOST
    page.close()
    assert not failed
    assert all(url.startswith(("file:", "data:")) for url in asked)
    for slide in found:
        assert slide["over"] <= TALLEST, slide
        assert not slide["small"], f"a picture is too small to be seen: {slide}"


@pytest.mark.browser
def test_the_speakers_notes_open_from_the_file(decks, browser):
    page = browser.new_page()
    page.goto(decks[LESSONS[-1].name[:2]].as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.keyboard.press("ArrowRight")  # the goals; how long the lesson takes is only in the notes
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    popup.value.wait_for_selector(".speaker-controls-notes:has-text('minutes')")
    popup.value.close()
    page.close()


# The lecturers' page


def test_the_lecturers_page_knows_every_exercise():
    """Each is either for the room or for home, and takes as long as its lesson says."""
    page = (REPOSITORY / "notebooks" / "LECTURERS.md").read_text(encoding="utf-8")
    table = page.split("<!-- exercises -->")[1].split("\n\n")[0]
    listed = {
        row[:2]: sorted(re.findall(r"(\d+) \((\d+)\)", row)) for row in re.findall(r"^\| (\d\d .*)$", table, re.M)
    }
    for path in LESSONS:
        source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        assert listed.get(path.name[:2], []) == sorted(
            re.findall(r"^#+ Exercise (\d+): .*\((\d+) minutes,", source, re.MULTILINE)
        ), path.name


def test_the_lecturers_page_names_sections_that_exist():
    page = (REPOSITORY / "notebooks" / "LECTURERS.md").read_text(encoding="utf-8")
    headings = {
        path.name[:2]: re.findall(
            r"^#+ (\d+(?:\.\d+)?) · ",
            "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells),
            re.MULTILINE,
        )
        for path in LESSONS
    }
    named = re.findall(r"\b(0\d)(?: by [^;|]*?)?, sections? ([\d., and to]+)", page)
    assert len(named) > 20
    for lesson, sections in named:
        if lesson in headings:
            missing = set(re.findall(r"\d+(?:\.\d+)?", sections)) - set(headings[lesson])
            assert not missing, f"lesson {lesson} has no section {missing}"
