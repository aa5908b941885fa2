"""The table of cards: batches that fit, times that follow from the measured card, and marks for what is reckoned."""

from dataclasses import replace

import nbformat
import pytest

from glcic_lite.course.lesson_06 import cards
from glcic_lite.course.lesson_06.training_costs import cost
from glcic_lite.files import NOTEBOOKS
from glcic_lite.training import PAPER


@pytest.fixture(scope="module")
def plans():
    return {name: cards.plan(PAPER, card) for name, card in cards.CARDS.items()}


def test_every_part_fits_and_no_fewer_parts_would(plans):
    costs = cost(PAPER)
    for name, plan in plans.items():
        room = cards.ROOM * cards.CARDS[name].memory
        assert PAPER.batch_size % plan.accumulation == 0
        assert plan.bytes == costs.memory(PAPER.batch_size // plan.accumulation) <= room
        fewer = [parts for parts in range(1, plan.accumulation) if PAPER.batch_size % parts == 0]
        assert all(costs.memory(PAPER.batch_size // parts) > room for parts in fewer)


def test_the_measured_card_takes_what_was_measured_and_the_others_by_their_peaks(plans):
    measured = plans[cards.MEASURED].seconds
    steps = PAPER.phase_1 * cards.STEP_SECONDS[1] + PAPER.phase_3 * cards.STEP_SECONDS[3]
    assert steps < measured < 1.05 * steps  # phase 2 on top
    for name, plan in plans.items():
        share = cards.CARDS[cards.MEASURED].peak / cards.CARDS[name].peak
        assert plan.seconds == pytest.approx(measured * share)
    assert 0.1 < cards.share_of_peak() < 0.5


def test_steps_and_taste_are_those_of_the_lesson():
    cells = [cell.source for cell in nbformat.read(NOTEBOOKS / "06_training_on_cuda.ipynb", as_version=4).cells]
    rows = [line.split("|") for cell in cells for line in cell.splitlines() if line.startswith("|")]
    first = next(n for n, row in enumerate(rows) if row[1].strip() == f"{cards.MEASURED}, PAPER")
    found = {int(row[2]): float(row[5]) for row in rows[first : first + 2]}
    assert found == cards.STEP_SECONDS
    assert any(", ".join(f"{name}={count}" for name, count in cards.TASTE.items()) in cell for cell in cells)


def test_a_card_without_room_is_refused():
    with pytest.raises(ValueError, match="crops smaller"):
        cards.plan(PAPER, replace(cards.CARDS["T4"], memory=1e8))


def test_the_table_marks_what_is_reckoned():
    rows = cards.cards_table().splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == list(cards.CARDS)
    for row in rows:
        assert ("reckoned" in row) != (f"| {cards.MEASURED} |" in row)
