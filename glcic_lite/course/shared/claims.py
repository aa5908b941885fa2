"""The fifteen claims of the report that this course is based on: how each was tested, and with what result.

Lesson 00 shows the list, lesson 09 the list with its verdicts.
"""

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from IPython.display import display

# "Here": with these 162 photos and this training, which explain the result; another training may find otherwise.
HOLDS, HERE, IN_PART, NOT_HERE, UNDECIDED = "holds", "holds here", "holds in part", "does not hold here", "undecided"
MARKS = {HOLDS: "✓", HERE: "☑", IN_PART: "◐", NOT_HERE: "✗", UNDECIDED: "?"}
TOGETHER = {
    HOLDS: ("holds", "hold"),
    HERE: ("holds here", "hold here"),
    IN_PART: ("holds in part", "hold in part"),
    NOT_HERE: ("does not hold here", "do not hold here"),
    UNDECIDED: ("is undecided", "are undecided"),
}

LESSONS = {
    1: "01_receptive_fields_and_dilation.ipynb",
    2: "02_strided_convolution_vs_pooling.ipynb",
    3: "03_transposed_convolution.ipynb",
    4: "04_completion_network.ipynb",
    5: "05_context_discriminators.ipynb",
    8: "08_draw_your_own_mask.ipynb",
    9: "09_evaluation_and_limits.ipynb",
}


class Section(NamedTuple):
    """A section of a lesson, by the words of its heading: "3 · What dilation costs"."""

    lesson: int
    heading: str

    @property
    def name(self) -> str:
        """Short, for a link: "01, section 3"."""
        return f"{self.lesson:02d}, section {self.heading.split(' ')[0]}"

    @property
    def link(self) -> str:
        """The lesson's file. Not the heading in it: JupyterLab cannot link to a heading that contains a "·"."""
        return LESSONS[self.lesson]


@dataclass(frozen=True)
class Claim:
    """A claim and its verdict.

    Attributes:
        id: S1 to S12 for what the method can do, L1 to L3 for its limits.
        words: the claim in the report's words, shortened.
        experiment: how it was tested, in one sentence.
        sections: where.
        verdict: `HOLDS`, `HERE`, `IN_PART` (`why` names the part), `NOT_HERE` or `UNDECIDED`.
        why: one sentence.
    """

    id: str
    words: str
    experiment: str
    sections: tuple[Section, ...]
    verdict: str
    why: str


CLAIMS = (
    Claim(
        "S1",
        "An encoder-decoder saves memory and computation; the photo shrinks to a quarter per side, and comes back by "
        "deconvolution.",
        "The 17 layers counted, timed and run with and without their strides; a deconvolution compared with the "
        "transposed matrix.",
        (Section(2, "4 · What working at a quarter saves"), Section(3, "2 · What is it the transpose of?"),
         Section(4, "6 · Why at a quarter?")),
        HOLDS,
        "About a twelfth of the multiplications, a fifth of the memory or less; what comes back is the size, while the "
        "detail is newly painted.",
    ),
    Claim(
        "S2",
        "Strided convolution skips positions while it convolves; GLCIC uses it instead of pooling.",
        "The outputs of stride 2 compared with every second output of stride 1.",
        (Section(2, "1 · Stride and pooling, pixel by pixel"),),
        HOLDS,
        "They are the same numbers, and no row of the network's table is a pooling layer.",
    ),
    Claim(
        "S3",
        "Striding and pooling have the same effect on size; convolving and downsampling in one is more effective.",
        "The same small network trained with strides, max pooling and average pooling, several seeds.",
        (Section(2, "5 · Which is better for filling holes?"),),
        IN_PART,
        "Even sides come out the same, and striding is cheaper; a lower error than that of max pooling was not found.",
    ),
    Claim(
        "S4",
        "A dilated convolution puts zeros inside the filter: a wider view for the same computation, with little loss "
        "of information.",
        "One layer at five dilations counted, timed and compared with a large kernel full of zeros; the paths from an "
        "output pixel to its inputs counted.",
        (Section(1, "3 · What dilation costs"), Section(1, "6 · Gridding: the price of gaps")),
        IN_PART,
        "A wider view for the same computation: exactly so; but the network's dilated layers alone skip most of the "
        "pixels in their view, and only the ordinary layers around them close the gaps.",
    ),
    Claim(
        "S5",
        "Since most of the dilated kernel's weights are zero, it is computationally efficient.",
        "The same kernel with its zeros written out and without, timed.",
        (Section(1, "3 · What dilation costs"),),
        IN_PART,
        "It is efficient because zeros are neither stored nor visited; written out, they cost as much as any weight.",
    ),
    Claim(
        "S6",
        "A GAN trains a generator against a discriminator, the counterfeiter against the police.",
        "The smallest completion there is, two grey values, trained by the GAN loss alone, with and without dice.",
        (Section(5, "1 · The counterfeiter and the police"),),
        IN_PART,
        "It learns to paint edges where the squared error paints fog; that it ends well, and paints everything "
        "plausible, is not guaranteed.",
    ),
    Claim(
        "S7",
        "GAN training is unstable; GLCIC therefore adds a reconstruction loss, and uses two discriminators.",
        "The same game with the squared error, the GAN loss, and both; five seeds, jumps and plausible fills counted.",
        (Section(5, "1 · The counterfeiter and the police"), Section(9, "5.2 · The discriminators")),
        IN_PART,
        "In the toy, the GAN loss alone jumps several times as often; beside a squared error, with a fitting alpha, it "
        "settles much sooner. Whether a second discriminator steadies the training is undecided: no experiment "
        "compares it.",
    ),
    Claim(
        "S8",
        "The global discriminator judges the whole, the local one the detail around the filled region; one region at a "
        "time.",
        "Discriminators of either kind and of both, shown three known defects; small networks trained against each.",
        (Section(5, "4 · What each of them sees"), Section(5, "6 · What each alone misses"),
         Section(9, "5.2 · The discriminators")),
        IN_PART,
        "The local one finds the detail and is blind to a foreign piece; the global one finds that, though not "
        "reliably; networks trained against either hardly differ. With two regions far apart the local patch would "
        "show neither.",
    ),
    Claim(
        "S9",
        "Any photo size and any mask can be used.",
        "Photos down to one known pixel through the bare layers and through the program.",
        (Section(4, "2 · Any size"),),
        HOLDS,
        "The layers return multiples of 4, and the program pads and crops back; any mask will do that leaves "
        "something known.",
    ),
    Claim(
        "S10",
        "Local consistency is kept.",
        "The step across the hole's edge beside the photo's own, with and without discriminators and blending; "
        "texture by depth.",
        (Section(9, "4.2 · The distance from what is known"), Section(9, "5.2 · The discriminators"),
         Section(9, "5.3 · The seam, and what removes it")),
        IN_PART,
        "Colours meet at the edge, thanks to the blending; behind it is about half of the photo's texture, not always "
        "of the right kind.",
    ),
    Claim(
        "S11",
        "New objects can be made that appear nowhere else in the photo.",
        "Eyes, towers and arches covered and completed; texture by depth.",
        (Section(9, "4.2 · The distance from what is known"), Section(9, "6 · Where it fails")),
        NOT_HERE,
        "Texture appears, but no shape that the rim does not hint at: 162 photos do not teach what an eye is.",
    ),
    Claim(
        "S12",
        "The network finds the features by itself; the two discriminators raise the quality.",
        "Small networks trained equally long with no discriminator, one of the two, and both; then for longer with "
        "both, beside a twin with alpha 0.",
        (Section(9, "5.2 · The discriminators"),),
        IN_PART,
        "Nobody told it what an edge is. The discriminators bring texture, with each of three seeds, but two to four "
        "hundredths of the photo's; the training in which much more came has no twin without them.",
    ),
    Claim(
        "L1",
        "It needs the original photo and a mask.",
        "A scratched photo completed with no mask, with one in another place, and with the right one.",
        (Section(9, "6 · Where it fails"),),
        HOLDS,
        "It is told what is missing, and believes it: without a mask nothing happens, with a wrong one good pixels "
        "are lost.",
    ),
    Claim(
        "L2",
        "Faces fail: nothing was learned of facial features.",
        "Faces of animals, picked by hand, covered and completed, beside seeded holes of the same size elsewhere.",
        (Section(8, "3.5 · A face"), Section(9, "6 · Where it fails")),
        HERE,
        "No covered eye comes back; it is continued as fur, as grain or as background. The training photos show no "
        "kind of face often enough to learn it.",
    ),
    Claim(
        "L3",
        "Complex structures fail.",
        "Holes over straight edges and in textures; over roofs, columns, arches and towers, picked by hand, beside "
        "seeded ones.",
        (Section(8, "3.3 · Across an edge, or in a texture?"), Section(9, "6 · Where it fails")),
        HERE,
        "An edge that runs into the hole is continued for some pixels; what has a shape of its own is lost.",
    ),
)  # fmt: skip


def claims_list() -> None:
    """Show the list as lesson 00 begins with it: every claim, and the lessons that test it; no verdicts yet."""
    _show(Form(("No.", "The report claims", "Tested in lesson"), f"{len(CLAIMS)} claims, to be tested.", False))


def claims_table() -> None:
    """Show the table as lesson 09 ends with it: every claim, the experiment, the verdict."""
    _show(VERDICTS)


class Form(NamedTuple):
    """What a table of claims shows."""

    heads: tuple[str, ...]
    caption: str
    verdicts: bool  # the experiment and the verdict, too


def _show(form: Form) -> None:
    """As HTML, or as Markdown or text where there is no HTML."""
    html, markdown, text = as_html(form=form), as_markdown(form=form), as_text(form=form)
    display({"text/html": html, "text/markdown": markdown, "text/plain": text}, raw=True)


def summary() -> str:
    """How many claims got each verdict: "7 hold, 6 hold in part, 2 do not hold here"."""
    counts = Counter(claim.verdict for claim in CLAIMS)
    return ", ".join(f"{counts[word]} {TOGETHER[word][counts[word] != 1]}" for word in MARKS if counts[word])


VERDICTS = Form(
    ("No.", "The report claims", "Tested by (lesson)", "Verdict"),
    f"The {len(CLAIMS)} claims, tested: {summary()}.",
    True,
)


def as_html(claims: tuple[Claim, ...] = CLAIMS, form: Form = VERDICTS) -> str:
    """A table with a caption and headings in both directions. It sets no colours, so that it suits a dark page too."""
    # JupyterLab aligns cells to the right. In notebooks it does not trust it drops style sheets, but not these styles.
    left = 'style="text-align: left; vertical-align: top"'
    rows = []
    for claim in claims:
        links = ", ".join(f'<a href="{escape(place.link)}">{escape(place.name)}</a>' for place in claim.sections)
        cells = [escape(claim.words), links]
        if form.verdicts:
            verdict = f'<span aria-hidden="true">{MARKS[claim.verdict]}</span> {claim.verdict}'
            cells[1] = f"{escape(claim.experiment)} ({links})"
            cells.append(f'<strong style="white-space: nowrap">{verdict}</strong><br>{escape(claim.why)}')
        data = "".join(f"<td {left}>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row" {left}>{claim.id}</th>{data}</tr>')
    heads = "".join(f'<th scope="col" {left}>{head}</th>' for head in form.heads)
    return (
        f'<table><caption style="text-align: left; padding: 0.5em">{escape(form.caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>"
    )


def as_markdown(claims: tuple[Claim, ...] = CLAIMS, form: Form = VERDICTS) -> str:
    """The same as a Markdown table."""
    rows = [f"| {' | '.join(form.heads)} |", "|---" * len(form.heads) + "|"]
    for claim in claims:
        links = ", ".join(f"[{place.name}]({place.link})" for place in claim.sections)
        cells = [f"**{claim.id}**", claim.words, links]
        if form.verdicts:
            cells[2] = f"{claim.experiment} ({links})"
            cells.append(f"**{MARKS[claim.verdict]} {claim.verdict}.** {claim.why}")
        rows.append(f"| {' | '.join(cells)} |")
    return f"{form.caption}\n\n" + "\n".join(rows)


def as_text(claims: tuple[Claim, ...] = CLAIMS, form: Form = VERDICTS) -> str:
    """The same as lines of text."""
    lines = [form.caption]
    for claim in claims:
        places = "; ".join(place.name for place in claim.sections)
        experiment = f"{claim.experiment} (lesson {places})" if form.verdicts else f"lesson {places}"
        lines += [f"{claim.id:4}{claim.words}", f"    {experiment}"]
        if form.verdicts:
            lines.append(f"    {MARKS[claim.verdict]} {claim.verdict}: {claim.why}")
    return "\n".join(lines)
