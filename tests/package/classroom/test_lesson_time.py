"""The times that lessons state come from their words, code and exercises."""

import json

import pytest

from glcic_lite.classroom.lesson_time import LINES_A_MINUTE, WORDS_A_MINUTE, lesson_time, lesson_times

TIMES = lesson_times()


def test_words_code_pictures_and_exercises_are_counted(tmp_path):
    def text(source):
        return {"cell_type": "markdown", "source": source}

    def code(source, pictures=0):
        return {"cell_type": "code", "source": source, "outputs": [{"data": {"image/png": ""}}] * pictures}

    folded = "\n\n<details><summary>Hint</summary>\n\n" + "not read " * 500 + "</details>"
    cells = [
        text("# 01 · Title\n\n**Time.** About 40 minutes with the exercises. Two minutes on a GPU."),
        code("import everything\n" * 100),
        text("word " * (5 * WORDS_A_MINUTE - 14) + folded),
        code("# why\n\n" + "line()\n" * (3 * LINES_A_MINUTE), pictures=3),
        text("#### Exercise 1: try (7 minutes, easy)\n\n" + "the task " * 500),
        code("def f(): ...\n\n\nchecks.f(f)"),
        text("## References\n\n" + "not read " * 500),
    ]
    path = tmp_path / "01_title.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    time = lesson_time(path)
    assert time.reading == pytest.approx(6, abs=0.1) and (time.code, time.exercises, time.stated) == (3, 7, 40)
    assert time.all == pytest.approx(16, abs=0.1)


@pytest.mark.parametrize("lesson", TIMES)
def test_a_lesson_states_the_time_that_it_takes(lesson):
    """Within a fifth: minutes are rounded, and a sentence more need not change them."""
    assert TIMES[lesson].stated == pytest.approx(TIMES[lesson].all, rel=0.2, abs=5)
