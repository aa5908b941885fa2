"""A picture that changes in place while a cell runs, and stays, as a plain PNG, when it has finished."""

import io

import matplotlib.pyplot as plt
from IPython.display import Image, display
from matplotlib.figure import Figure


class LivePicture:
    """Shown on the first call of `show`, replaced in place on every later one.

    No widget is involved: the last picture is saved with the notebook like any other.
    """

    def __init__(self):
        self._handle = None

    def show(self, figure: Figure) -> None:
        """Draw a matplotlib figure and close it."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=plt.rcParams["figure.dpi"])
        plt.close(figure)
        picture = Image(data=buffer.getvalue(), format="png")
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
