"""The frame of the checks: how a verdict reads, how answers are compared, and when a likely cause is named."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from glcic_lite.course.shared.checks import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    Verdict,
    check,
    exercise,
    kind_of,
    plain,
    whole,
)


def test_a_verdict_speaks_in_words_and_with_a_mark():
    for state, mark in ((NOT_ATTEMPTED, "○"), (NOT_YET, "✗"), (CORRECT, "✓")):
        verdict = Verdict("Exercise 1", state, "Words.")
        for text in (repr(verdict), verdict._repr_markdown_()):
            assert mark in text and state in text and "Exercise 1" in text and "Words." in text


@exercise(
    2, lambda n: 2 * n + 1, [(lambda n: 1 / (n - 1), "never."), (lambda n: 2 * n, "one is missing.")], "{count} cases."
)
def odd():
    """`odd(n)`."""
    yield dict(n=0)
    yield dict(n=1)


def test_a_table_becomes_a_check_with_its_name_and_its_words():
    assert odd.__name__ == "odd" and "odd(n)" in odd.__doc__
    assert str(odd(lambda n: 2 * n + 1)) == "✓ Exercise 2: correct. 2 cases."
    assert odd(lambda n: ...).state == NOT_ATTEMPTED


def test_a_cause_is_named_only_if_it_explains_every_answer():
    assert odd(lambda n: 2 * n).message == "For n=0 your answer, 0, is too small. By one. Likely cause: one is missing."
    assert odd(lambda n: 2 * n * n).message.endswith("one is missing.")  # the same on these two inputs
    assert odd(lambda n: 0).message == "For n=0 your answer, 0, is too small. By one."


def test_a_pair_is_compared_part_by_part():
    @exercise(1, lambda x: (x, -x), [(lambda x: (-x, x), "swapped.")], parts=("the first", "the second"))
    def pair():
        yield dict(x=torch.tensor([1.0, 2.0]))

    assert pair(lambda x: [x, -x]).state == CORRECT
    assert "the first and the second" in pair(lambda x: x[0]).message
    assert pair(lambda x: (x, -x, x)).state == NOT_YET
    message = pair(lambda x: (x, x)).message
    assert message.startswith("For the second, given x=") and "cause" not in message
    assert pair(lambda x: (-x, x)).message.endswith("Likely cause: swapped.")


@pytest.mark.parametrize(
    "three", [3, 3.0, Fraction(3), np.int8(3), np.array([3.0]), torch.tensor(3.0), torch.ones(1) * 3]
)
def test_a_whole_number_may_be_of_any_type(three):
    assert whole(three) == 3 and isinstance(whole(three), int)


@pytest.mark.parametrize(
    "other", [3.5, "3", True, None, [3], 3j, float("nan"), float("inf"), torch.ones(2), Decimal("3.5")]
)
def test_what_is_no_whole_number_is_refused(other):
    with pytest.raises((TypeError, ValueError)):
        whole(other)


def test_answers_lose_their_gradients_and_iterators_become_lists():
    weight = torch.ones(2, requires_grad=True)
    answer = plain([weight * 2, (weight, iter([1, 2])), range(3)])
    assert not answer[0].requires_grad and not answer[1][0].requires_grad
    assert answer[1][1] == [1, 2] and answer[2] == [0, 1, 2]


def test_an_endless_generator_does_not_hang():
    def forever(n):
        while True:
            yield n

    assert odd(forever).state == NOT_YET


def test_a_check_never_crashes():
    @check("Exercise 1")
    def careless(answer):
        return answer.no_such_thing

    verdict = careless(3)
    assert verdict.state == NOT_YET and "\n" not in verdict.message
    assert odd(lambda n: exit()).message.startswith("For n=0 your code stopped with SystemExit")


def test_what_must_be_kept_is_looked_at_afterwards():
    @exercise(1, lambda x: x + 1, keeps=True)
    def grown():
        yield dict(x=torch.tensor([1.0, 2.0]))

    assert grown(lambda x: x + 1).state == CORRECT
    assert "Write into a copy" in grown(lambda x: x.add_(1)).message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([object()]), "an array of type object"),
        (torch.rand(2, 3).max(1), "take its `.values`"),
        (torch.rand(2, 3), "a tensor of shape (2, 3)"),
        (Image.new("L", (1, 1)), "an Image"),
        (np.zeros(3), "an ndarray"),
        ({}, "a dict"),
        ("x", "text"),
    ],
)
def test_what_is_of_the_wrong_kind_is_named(value, words):
    assert words in kind_of(value)


def test_a_message_has_one_full_stop_where_it_quotes_an_error():
    @exercise(1, lambda x: x + 1)
    def grown():
        yield dict(x=1.0)

    def failing(x):
        raise RuntimeError("It ends like this.")

    assert "this, in the line" in grown(failing).message

    @check("Exercise 2")
    def checked(function):
        return failing(1)

    assert checked(len).message == "Your answer is of a kind that cannot be compared: It ends like this."


def test_what_is_out_of_reach_is_so_by_every_way_and_only_meanwhile():
    @exercise(1, lambda x: x.amax(), without=dict(of_torch="amax", functions=(np.amax,)))
    def largest():
        yield dict(x=torch.rand(5))

    alias, of_numpy = torch.amax, np.amax
    for way in (lambda x: x.amax(), lambda x: torch.amax(x), lambda x: alias(x), lambda x: np.amax(x.numpy())):
        assert "without it" in largest(way).message
    assert largest(lambda x: x.max()).state == CORRECT
    assert torch.amax(torch.ones(2)) == 1 and np.amax is of_numpy
