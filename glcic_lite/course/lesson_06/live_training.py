"""A training run to look at: curves and completed photos that change in place, until it ends or is stopped."""

import io
import time
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure

from glcic_lite.course.lesson_06.figures import draw_curves
from glcic_lite.method.networks import CompletionNetwork, composite
from glcic_lite.training import Trainer

WAIT = 4.0  # seconds of training for each second of drawing
HOW_TO_STOP = "**Training. To stop: ■ in the toolbar.** A checkpoint will be written, and the run can be resumed."


class LiveTraining:
    """Trains, and shows how it is going.

    The ■ in the notebook's toolbar stops it: the trainer lets the iteration at hand end, writes a checkpoint, and
    returns. (A button of its own was not heard in JupyterLab 4.6: a kernel that is busy with a cell does not answer
    widgets.) When the run has ended, a sentence says how far it has come and the last picture stays, so that a saved
    notebook shows both.

    Args:
        trainer: a new or a resumed run.
        crops: which of the trainer's validation crops to show, by number.
        kind: which of its kinds of hole, such as "box_24"; None: the largest boxes.
    """

    def __init__(self, trainer: Trainer, crops: Sequence[int] = (0, 1, 2, 3, 4, 5), kind: str | None = None):
        self.trainer = trainer
        kind = kind or f"box_{trainer.settings.hole_sides[1]}"
        chosen = list(crops)
        self.photos, self.masks = trainer.validation.photos[chosen], trainer.validation.masks[kind][chosen]
        self._picture = self._status = None
        self._until = 0
        self._drawn, self._drawing = 0.0, 0.0  # when the picture was last drawn, and how long that took

    def run(self, until: int | None = None) -> bool:
        """Train until the settings' end, until iteration `until`, or until someone says stop.

        Returns:
            Whether the settings' end was reached.
        """
        iterations = self.trainer.settings.iterations
        self._picture = None  # each cell that calls this has a picture of its own
        self._until = min(iterations if until is None else until, iterations)
        if self.trainer.progress.iteration < self._until:
            self._status = display(Markdown(HOW_TO_STOP), display_id=True)
            self._show()
            try:
                self.trainer.train(on_log=self._on_log, progress=False)
            finally:
                self._show()
                self._status.update(Markdown(f"**{self.summary()}**"))
        else:
            self._show()
            display(Markdown(f"**{self.summary()}**"))
        return self.trainer.progress.iteration >= iterations

    def summary(self) -> str:
        """How far the run has come, in a sentence."""
        done, total = self.trainer.progress.iteration, self.trainer.settings.iterations
        if done >= total:
            return f"All {total:,} iterations are done."
        place = f"after iteration {done:,} of {total:,}, in phase {self.trainer.settings.phase(max(done - 1, 0))}"
        checkpoint = self.trainer.run.latest_checkpoint()
        if checkpoint is None:
            return f"Stopped {place}. There is no checkpoint yet to resume from."
        if int(checkpoint.name) < done:
            return f"Stopped {place}. The last checkpoint is of iteration {int(checkpoint.name):,}."
        return f"Stopped {place}. A checkpoint is written; the run can be resumed."

    def completed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The crops with their holes, as the network completes them now, and the truth: (N, S, S, 3) in [0, 1] each."""
        network, device = self.trainer.validated_network, self.trainer.device
        return complete_crops(network, self.photos, self.masks, device)

    def _on_log(self, trainer: Trainer, row: dict) -> bool:
        if time.perf_counter() - self._drawn > WAIT * self._drawing:
            self._show()
        return row["iteration"] >= self._until

    def _show(self) -> None:
        start = time.perf_counter()
        rows = self.trainer.run.numbers("log.csv")
        picture = Image(data=_jpeg(live_figure(rows, self.trainer.settings, *self.completed())), format="jpeg")
        if self._picture is None:
            self._picture = display(picture, display_id=True)
        else:
            self._picture.update(picture)
        self._drawn = time.perf_counter()
        self._drawing = self._drawn - start


@torch.inference_mode()
def complete_crops(
    network: CompletionNetwork, photos: torch.Tensor, masks: torch.Tensor, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops with their holes, completed by a network in evaluation mode, and the truth: (N, S, S, 3) in [0, 1] each."""
    network.eval()
    photos, masks = photos.to(device), masks.to(device)
    emptied = torch.where(masks > 0.5, network.mean_colour, photos)
    completed = composite(photos, network(photos, masks).float(), masks)
    emptied, completed, photos = (x.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy() for x in (emptied, completed, photos))
    return emptied, completed, photos


def live_figure(rows, settings, emptied: np.ndarray, completed: np.ndarray, truth: np.ndarray) -> Figure:
    """One frame: curves on the left, and on the right crops with a hole, completed, and as they were."""
    figure = plt.figure(figsize=(11, 4.7))
    curves, pictures = figure.subfigures(1, 2, width_ratios=(1, 1.28), wspace=0)
    draw_curves(curves, rows, settings)
    grid = pictures.subplots(
        3,
        len(truth),
        squeeze=False,
        gridspec_kw=dict(left=0.07, right=0.995, top=0.99, bottom=0.01, wspace=0.05, hspace=0.05),
    )
    for line, name, crops in zip(grid, ("hole", "now", "photo"), (emptied, completed, truth), strict=True):
        for ax, crop in zip(line, crops, strict=True):
            ax.imshow(crop, interpolation="antialiased")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=13)
    return figure


def _jpeg(figure: Figure) -> bytes:
    """The figure at its own size: cut to what is drawn, it would jump from frame to frame."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=92, bbox_inches=figure.bbox_inches, pil_kwargs={"quality": 72})
    plt.close(figure)
    return buffer.getvalue()
