"""The pictures that README.md and lesson 00 show: python -m glcic_lite.course.shared.pictures

The map of the course holds one small picture for each lesson, drawn from what the lesson is about: the layer tables,
the training log, the evaluation on the test photos.
"""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from glcic_lite.course.shared.figures import HIGHLIGHT, INPUT, OUTPUT, QUIET, STYLE, WEIGHT, WRONG, with_hole
from glcic_lite.course.shared.samples import sample
from glcic_lite.files import NOTEBOOKS, SHIPPED_WEIGHTS
from glcic_lite.method.architecture import COMPLETION_NETWORK
from glcic_lite.method.masks import Box, hole_box, local_patch
from glcic_lite.method.photos import save_image
from glcic_lite.speed.completion import complete
from glcic_lite.speed.crops import seen_by
from glcic_lite.training.log import split_phases
from glcic_lite.training.run_folder import RunFolder

FOLDER = NOTEBOOKS / "pictures"
LESSONS = (
    "Complete a photo",
    "Dilated convolution",
    "Stride or pooling",
    "Transposed conv.",
    "The completion network",
    "Two discriminators",
    "Training",
    "Real photos, fast",
    "Draw your own mask",
    "How good is it?",
)

PHOTOS = ("historic-nagasaki-boats--scratches", "ocean-beach-from-above", "petra-treasury", "nagoya-castle--scratches")


def draw_before_and_after() -> Image.Image:
    """An old print: the hole marked in the left half, completed in the right half."""
    photo, mask = sample(PHOTOS[0])
    left, right = with_hole(photo, mask), np.asarray(complete(photo, mask))
    half = photo.width // 2
    both = np.concatenate([left[:, :half], right[:, half:]], axis=1)
    both[:, half - 2 : half + 2] = 255
    return Image.fromarray(both)


def draw_course_map() -> Figure:
    """Ten panels, two rows of five, in the order of the lessons."""
    figure, axes = plt.subplots(2, 5, figsize=(12.5, 5.6), layout="constrained")
    panels = (_photo, _dilated, _strided, _transposed, _network, _discriminators, _training, _crop, _drawing, _quality)
    for number, (panel, title, ax) in enumerate(zip(panels, LESSONS, axes.flat, strict=True)):
        panel(ax)
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_title(f"{number:02d}  {title}", fontsize=11.5, loc="left")
    return figure


def _cell(ax: Axes, column: float, row: float, colour: str, side: float = 1.0) -> None:
    ax.add_patch(Rectangle((column, row), side, side, facecolor=colour, edgecolor="white", linewidth=1))


def _grid(ax: Axes, size: int, colour: str) -> None:
    """A square of size × size cells that fills the panel."""
    for row in range(size):
        for column in range(size):
            _cell(ax, column, row, colour)
    ax.set_xlim(-0.3, size + 0.3)
    ax.set_ylim(size + 0.3, -0.3)
    ax.set_aspect("equal")


def _square(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A square cut-out around the hole of a sample, photo and mask."""
    photo, mask = sample(name)
    side = min(min(photo.size), 380)
    box = local_patch(hole_box(mask), side, photo.size)
    return np.asarray(photo)[box.slices], mask[box.slices]


def _outline(ax: Axes, box: Box, colour: str, style: str = "-") -> None:
    corner = (box.left, box.top)
    ax.add_patch(Rectangle(corner, box.width, box.height, fill=False, edgecolor=colour, linewidth=3, linestyle=style))


def _photo(ax: Axes) -> None:
    photo, mask = _square(PHOTOS[0])
    completed = np.array(complete(photo, mask))
    half = photo.shape[1] // 2
    completed[:, :half] = with_hole(photo, mask)[:, :half]
    ax.imshow(completed)
    ax.axvline(half, color="white", linewidth=2)


def _dilated(ax: Axes) -> None:
    _grid(ax, 7, INPUT)
    for row in (1, 3, 5):
        for column in (1, 3, 5):
            _cell(ax, column, row, WEIGHT)


def _strided(ax: Axes) -> None:
    _grid(ax, 6, INPUT)
    for row in range(3):
        for column in range(3):
            _cell(ax, column * 2 + 0.3, row * 2 + 0.3, OUTPUT, 1.4)


def _transposed(ax: Axes) -> None:
    _grid(ax, 7, OUTPUT)
    for row in (1, 3, 5):
        for column in (1, 3, 5):
            _cell(ax, column + 0.2, row + 0.2, INPUT, 0.6)


def _network(ax: Axes) -> None:
    scale, x = 1.0, 0.0
    for layer in COMPLETION_NETWORK:
        scale /= float(layer.stride)
        height = 6 * scale
        thickness = 0.25 + layer.channels / 256 * 0.35
        colour = HIGHLIGHT if layer.dilation > 1 else OUTPUT if layer.upsamples else INPUT
        ax.add_patch(Rectangle((x, 3 - height / 2), thickness, height, facecolor=colour, edgecolor="white"))
        x += thickness + 0.08
    ax.set_xlim(-0.3, x + 0.3)
    ax.set_ylim(-1.2, 7.2)
    ax.set_box_aspect(1)


def _discriminators(ax: Axes) -> None:
    photo, mask = _square(PHOTOS[1])
    ax.imshow(with_hole(photo, mask))
    height, width = mask.shape
    _outline(ax, Box(3, 3, width - 4, height - 4), HIGHLIGHT)
    _outline(ax, local_patch(hole_box(mask), 190, (width, height)), WEIGHT, "--")


def _training(ax: Axes) -> None:
    """The first run of phase 1; later ones saw other samples, so their losses cannot be compared with it."""
    _, first = split_phases(RunFolder(SHIPPED_WEIGHTS).rows("log.csv"))[0]
    losses = np.array([float(row["reconstruction"]) for row in first])
    window = max(1, len(losses) // 40)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    ax.plot(losses, color=QUIET, linewidth=0.8, alpha=0.5)
    ax.plot(np.arange(len(smooth)) + window / 2, smooth, color=WRONG, linewidth=2.5)
    ax.set_ylim(0, np.percentile(losses, 98))
    ax.set_box_aspect(1)


def _crop(ax: Axes) -> None:
    photo, mask = sample(PHOTOS[2])
    ax.imshow(with_hole(photo, mask))
    _outline(ax, seen_by(hole_box(mask), mask.shape), HIGHLIGHT)
    ax.set_xlim((photo.width - photo.height) / 2, (photo.width + photo.height) / 2)  # a square, like the others


def _drawing(ax: Axes) -> None:
    photo, mask = _square(PHOTOS[3])
    ax.imshow(with_hole(photo, mask))
    row, column = np.argwhere(mask)[-1]
    ax.plot(column, row, marker="o", markersize=16, markerfacecolor="none", markeredgecolor="black", markeredgewidth=2)


def _quality(ax: Axes) -> None:
    measured = RunFolder(SHIPPED_WEIGHTS).rows("evaluation.csv")
    left_out = ("network", "network, blended, scale 1")
    rows = [row for row in measured if row["hole"] == "box 64" and row["fill"] not in left_out]
    fills = {row["fill"] for row in rows}
    bars = [(fill, float(np.mean([float(row["psnr"]) for row in rows if row["fill"] == fill]))) for fill in fills]
    bars.sort(key=lambda bar: bar[1])
    for position, (name, value) in enumerate(bars):
        ax.barh(position, value, color=OUTPUT if name.startswith("network") else QUIET)
        ax.text(0.4, position, f"{name}  {value:.1f} dB", va="center", color="white", fontsize=10)
    ax.set_xlim(0, max(value for _, value in bars))
    ax.set_box_aspect(1)


def main() -> None:
    """Draw all pictures anew."""
    matplotlib.use("agg")
    plt.rcParams.update(STYLE)
    FOLDER.mkdir(exist_ok=True)
    save_image(draw_before_and_after(), FOLDER / "completed.jpg")
    draw_course_map().savefig(FOLDER / "map.jpg", dpi=96, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
