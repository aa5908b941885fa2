"""The frame of the checks: how a verdict reads, how answers are compared, and when a likely cause is named."""

import torch

from glcic_lite.course.shared.checks import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict, exercise


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
