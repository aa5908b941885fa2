"""Training in the paper's three phases (section 3.4): the completion network, then the discriminators, then both."""

from glcic_lite.training.loop import Trainer, TrainingError, train
from glcic_lite.training.run_folder import RunError
from glcic_lite.training.settings import LESSON, LITE, PAPER, SETTINGS, Settings

__all__ = ["LESSON", "LITE", "PAPER", "SETTINGS", "RunError", "Settings", "Trainer", "TrainingError", "train"]
