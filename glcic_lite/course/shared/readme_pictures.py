"""The pictures in README.md: python -m glcic_lite.course.shared.readme_pictures"""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from glcic_lite.course.shared.course_map import draw_course_map
from glcic_lite.course.shared.figures import STYLE, with_hole
from glcic_lite.course.shared.samples import sample
from glcic_lite.files import NOTEBOOKS
from glcic_lite.method.photos import save_image
from glcic_lite.speed.completion import complete

FOLDER = NOTEBOOKS / "pictures"
HERO = "historic-nagasaki-boats--scratches"


def hero() -> Image.Image:
    """An old print: the hole marked in the left half, completed in the right half."""
    photo, mask = sample(HERO)
    left, right = with_hole(photo, mask), np.asarray(complete(photo, mask))
    half = photo.width // 2
    both = np.concatenate([left[:, :half], right[:, half:]], axis=1)
    both[:, half - 2 : half + 2] = 255
    return Image.fromarray(both)


def main() -> None:
    """Write all pictures anew."""
    matplotlib.use("agg")
    plt.rcParams.update(STYLE)
    FOLDER.mkdir(exist_ok=True)
    save_image(hero(), FOLDER / "completed.jpg")
    draw_course_map().savefig(FOLDER / "map.jpg", dpi=96, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
