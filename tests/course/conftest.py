"""An explorer shows its faults instead of raising them; no test of the course may leave one behind."""

import pytest

from glcic_lite.course.shared import explorers


@pytest.fixture(autouse=True)
def no_callback_errors():
    explorers.callback_errors.clear()
    yield
    assert explorers.callback_errors == []
