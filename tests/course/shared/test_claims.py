"""The claims of lessons 00 and 09: complete, in agreement with the lessons, and readable in every form."""

import functools
import re
from html import unescape
from html.parser import HTMLParser

import nbformat
import pytest

from glcic_lite.course.shared import claims
from glcic_lite.course.shared.claims import CLAIMS, HERE, HOLDS, IN_PART, MARKS, NOT_HERE, UNDECIDED
from glcic_lite.files import NOTEBOOKS

BY_ID = {claim.id: claim for claim in CLAIMS}

# How a verdict begins; the longer words first.
SAID = {"holds here": HERE, "holds": HOLDS, "does not hold here": NOT_HERE, "undecided": UNDECIDED}

each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


@functools.cache
def text_of(lesson: int) -> str:
    """The Markdown of a lesson."""
    notebook = nbformat.read(NOTEBOOKS / claims.LESSONS[lesson], as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def verdicts_in(text: str) -> list[tuple[str, bool, str]]:
    """Every "**Verdict on S4, first half: holds.**": the claim's id, whether of a half only, and the verdict's word."""
    found = []
    for match in re.finditer(r"\*\*Verdict on ([SL]\d+)([^:]*):\s*([^.*]+)", text):
        name, between, said = match[1], match[2], " ".join(match[3].split())
        word = next((word for start, word in SAID.items() if said.startswith(start)), None)
        assert word, f"the verdict on {name} begins with none of the words of the table: {said!r}"
        if word == HOLDS and re.search(r"\bin part\b", said):
            word = IN_PART
        found.append((name, "half" in between, word))
    return found


def test_every_claim_is_there_once_and_in_order():
    assert [claim.id for claim in CLAIMS] == [f"S{n}" for n in range(1, 13)] + ["L1", "L2", "L3"]


@each_claim
def test_it_is_filled_in(claim):
    assert claim.verdict in (HOLDS, HERE, IN_PART, NOT_HERE, UNDECIDED)
    assert claim.sections
    for words in (claim.words, claim.experiment, claim.why):
        assert words[0].isupper() and words.endswith(".")
        assert "|" not in words, "it would end the cell of a Markdown table"


@each_claim
def test_it_is_where_it_is_said_to_be(claim):
    for section in claim.sections:
        assert (NOTEBOOKS / claims.LESSONS[section.lesson]).is_file()
        text = text_of(section.lesson)
        assert re.search(rf"^##+ {re.escape(section.heading)}$", text, re.M), f"no heading {section.heading!r}"
        assert re.search(rf"\b{claim.id}\b", text), f"lesson {section.lesson:02d} does not name {claim.id}"


@pytest.mark.parametrize("lesson", claims.LESSONS)
def test_the_lessons_say_the_same(lesson):
    """What a lesson says of a whole claim is the table's verdict, unless another lesson found less."""
    for name, half, word in verdicts_in(text_of(lesson)):
        claim = BY_ID[name]
        assert lesson in [section.lesson for section in claim.sections], f"the table leaves out lesson {lesson:02d}"
        others = [said for number in claims.LESSONS for other, _, said in verdicts_in(text_of(number)) if other == name]
        if half or len(set(others)) > 1:
            assert claim.verdict != NOT_HERE or word != HOLDS
        else:
            assert claim.verdict == word, f"lesson {lesson:02d} says of {name}: {word}"


def test_the_verdicts_of_the_lessons_are_found():
    """The test above would pass if it found none."""
    found = {name for lesson in (1, 2, 4, 5) for name, *_ in verdicts_in(text_of(lesson))}
    assert found == {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**Verdict on S1: holds.** Yes.", [("S1", False, HOLDS)]),
        ("**Verdict on S4, first half: holds.** The same", [("S4", True, HOLDS)]),
        ("**Verdict on S5** (*\"since\"*)**: holds\nonly in part.** It", [("S5", False, IN_PART)]),
        ("**Verdict on L2: does not hold here.** No", [("L2", False, NOT_HERE)]),
        ("**Verdict on L3: holds here.** Yes", [("L3", False, HERE)]),
        ("**Verdict on S7, second half: undecided.** No", [("S7", True, UNDECIDED)]),
        ("**Verdict on S2: holds, exactly** (up to the last digits). In part", [("S2", False, HOLDS)]),
        ("**Verdict.** It holds.", []),
    ],
)  # fmt: skip
def test_verdicts_are_read_off(text, found):
    assert verdicts_in(text) == found


# How it is shown


class Table(HTMLParser):
    """What a screen reader is told of a table."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(("/".join(self.open), data))

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def table():
    return Table(claims.as_html())


def test_the_table_has_a_caption_and_headings_both_ways(table):
    assert len(table.attributes("caption")) == 1
    scopes = [attributes["scope"] for attributes in table.attributes("th")]
    assert scopes == ["col"] * len(claims.VERDICTS.heads) + ["row"] * len(CLAIMS)
    assert len(table.attributes("td")) == len(CLAIMS) * (len(claims.VERDICTS.heads) - 1)


def test_it_leaves_the_colours_to_the_page(table):
    """So that it can be read on a light page and on a dark one; and nothing in it that an untrusted notebook drops."""
    for tag, attributes in table.tags:
        assert tag in {"table", "caption", "thead", "tbody", "tr", "th", "td", "a", "strong", "span", "br"}
        assert "color" not in attributes.get("style", "") and "background" not in attributes.get("style", "")
        assert "class" not in attributes and "bgcolor" not in attributes


def test_a_verdict_is_a_word_and_a_mark(table):
    marks = [text for place, text in table.texts if place.endswith("strong/span")]
    words = [text.strip() for place, text in table.texts if place.endswith("td/strong")]
    assert marks == [MARKS[claim.verdict] for claim in CLAIMS]
    assert words == [claim.verdict for claim in CLAIMS]
    assert len(set(MARKS.values())) == len(MARKS)
    assert all(attributes == {"aria-hidden": "true"} for attributes in table.attributes("span"))


def test_its_links_lead_to_the_lessons(table):
    targets = [attributes["href"] for attributes in table.attributes("a")]
    assert targets == [section.link for claim in CLAIMS for section in claim.sections]
    assert claims.Section(8, "3.5 · A face").name == "08, section 3.5"


def test_special_characters_stay_text():
    odd = claims.Claim("S1", "1 < 2 & 3", "An <b> tag.", CLAIMS[0].sections, HOLDS, '"Yes".')
    shown = Table(claims.as_html((odd,)))
    assert "1 < 2 & 3" in [text for _, text in shown.texts]
    assert not shown.attributes("b")


def test_markdown_and_text_say_the_same():
    markdown, text = claims.as_markdown(), claims.as_text()
    rows = [line for line in markdown.splitlines() if line.startswith("| **")]
    assert [row.count(" | ") for row in rows] == [len(claims.VERDICTS.heads) - 1] * len(CLAIMS)
    for claim, row in zip(CLAIMS, rows, strict=True):
        for words in (claim.id, claim.words, claim.experiment, claim.why, f"{MARKS[claim.verdict]} {claim.verdict}"):
            assert words in row and words in text
        assert all(f"]({section.link})" in row for section in claim.sections)


def test_the_caption_counts(monkeypatch):
    monkeypatch.setattr(claims, "CLAIMS", tuple(c for c in CLAIMS if c.id in ("S1", "S2", "S5")))
    assert claims.summary() == "2 hold, 1 holds in part"
    assert sum(int(number) for number in re.findall(r"\d+(?= (?:hold|do))", claims.VERDICTS.caption)) == len(CLAIMS)


def test_it_is_displayed_in_three_forms(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "display", lambda bundle, raw: shown.append((bundle, raw)))
    claims.claims_table()
    claims.claims_list()
    for bundle, raw in shown:
        assert raw and list(bundle) == ["text/html", "text/markdown", "text/plain"]
        for text in bundle.values():
            assert len(re.findall(r"\b[SL]\d+\b", text)) == len(CLAIMS)
    assert all(CLAIMS[0].why in unescape(text) for text in shown[0][0].values())


def test_the_list_of_lesson_00_gives_no_verdict_away(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "display", lambda bundle, raw: shown.append(bundle))
    claims.claims_list()
    for text in map(unescape, shown[0].values()):
        for claim in CLAIMS:
            assert claim.words in text and claim.why not in text and claim.experiment not in text
        assert not set(MARKS.values()) & set(text.replace("?", "")) and "holds" not in text
    table = Table(shown[0]["text/html"])
    assert len(table.attributes("a")) == sum(len(claim.sections) for claim in CLAIMS)
    assert len(table.attributes("td")) == 2 * len(CLAIMS)
