"""What every exercise check must do, for tables of right and wrong answers.

    class TestChecks(ExerciseChecks):
        RIGHT = [(check, answer), ...]
        WRONG = [(check, answer, words that the message must hold), ...]

`conftest.py` makes one test of every row.
"""

import pytest

from glcic_lite.course.shared.checks import CORRECT, NOT_ATTEMPTED, NOT_YET


def stub(*args, **kwargs): ...


def unfinished(*args, **kwargs):
    raise NotImplementedError


UNTOUCHED = {"stub": stub, "unfinished": unfinished, "None": None, "dots": ...}


class ExerciseChecks:
    """The tests of a lesson's checks; subclasses give the tables."""

    RIGHT: list[tuple] = []
    WRONG: list[tuple] = []
    VALUES: tuple = ()  # the checks that take a value, not a function
    FEWEST_WRONG = 5  # wrong answers a check must have

    @classmethod
    def parametrize(cls, metafunc: pytest.Metafunc) -> None:
        """Give the test functions below their rows; called by `conftest.pytest_generate_tests`."""
        names = metafunc.fixturenames
        if "words" in names:
            metafunc.parametrize(("check", "answer", "words"), cls.WRONG)
        elif "function_check" in names:
            functions = [check for check in cls.checks() if check not in cls.VALUES]
            metafunc.parametrize("function_check", functions, ids=lambda check: check.__name__)
        elif "untouched" in names:
            metafunc.parametrize("check", cls.checks(), ids=lambda check: check.__name__)
            metafunc.parametrize("untouched", UNTOUCHED.values(), ids=UNTOUCHED.keys())
        elif "answer" in names:
            metafunc.parametrize(("check", "answer"), cls.RIGHT)

    @classmethod
    def checks(cls) -> list:
        """Every check in the table, once."""
        return list(dict.fromkeys(check for check, _ in cls.RIGHT))

    def test_untouched_is_not_attempted(self, check, untouched):
        if untouched in (stub, unfinished) and check in self.VALUES:
            pytest.skip("this check takes a value")
        verdict = check(untouched)
        assert verdict.state == NOT_ATTEMPTED, verdict

    def test_what_raises_or_is_not_a_function_is_not_yet(self, function_check):
        def broken(*args, **kwargs):
            return 1 / 0

        assert "ZeroDivisionError" in function_check(broken).message
        assert function_check(7).state == NOT_YET

    def test_right_is_correct_every_time(self, check, answer):
        for _ in range(3):  # the inputs are random
            verdict = check(answer)
            assert verdict.state == CORRECT, verdict

    def test_wrong_is_not_yet_and_says_why(self, check, answer, words):
        for _ in range(3):
            verdict = check(answer)
            assert verdict.state == NOT_YET, verdict
            assert words in verdict.message, verdict
            assert "cannot be compared" not in verdict.message, verdict  # the last resort is no answer to a known slip
            assert len(verdict.message) > 20

    def test_every_check_has_several_wrong_answers(self):
        for check in self.checks():
            assert sum(wrong[0] is check for wrong in self.WRONG) >= self.FEWEST_WRONG, check.__name__
