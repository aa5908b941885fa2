"""How an exercise answers: not attempted, not yet and what differs, or correct; never with the answer itself.

A check runs the learner's work on random inputs and compares it with a reference (torch's own operator, autograd, exact
counting). Most checks are tables: `exercise` takes the reference, the mistakes that are often met and the praise, and
decorates a generator of inputs. A mistake is named as the likely cause only if it explains every answer that the
learner's code has given. What a table cannot say is written by hand, under `check`.
"""

import dis
import functools
import itertools
import math
import numbers
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch

from glcic_lite.course.shared import progress
from glcic_lite.course.shared.forbidden import OutOfReach, out_of_reach

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet"
CORRECT = "correct"
MARKS = {NOT_ATTEMPTED: "○", NOT_YET: "✗", CORRECT: "✓"}


@dataclass(frozen=True)
class Verdict:
    """What a check says. Jupyter shows it in words and with a mark, so that no colour is needed."""

    exercise: str
    state: str
    message: str

    def __repr__(self) -> str:
        return f"{MARKS[self.state]} {self.exercise}: {self.state}. {self.message}".rstrip()

    def _repr_markdown_(self) -> str:
        return f"{MARKS[self.state]} **{self.exercise}: {self.state}.** {self.message}".rstrip()


class NotAttempted(Exception):
    """The stub is as it was."""


class NotYet(Exception):
    """The learner's work is wrong; the message says in what."""


def check(exercise: str) -> Callable:
    """Decorator: turns a function that raises `NotAttempted` or `NotYet`, or returns praise, into a check."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def checked(*args, **kwargs) -> Verdict:
            try:
                verdict = Verdict(exercise, CORRECT, function(*args, **kwargs) or "")
            except NotAttempted as untouched:
                return Verdict(exercise, NOT_ATTEMPTED, str(untouched) or "Replace the dots, then run this cell again.")
            except NotYet as difference:
                verdict = Verdict(exercise, NOT_YET, str(difference))
            except Exception as error:  # an answer that nobody has thought of; a traceback would help no learner
                words = " ".join(str(error).split())[:120].rstrip(".")
                verdict = Verdict(exercise, NOT_YET, f"Your answer is of a kind that cannot be compared: {words}.")
            _note(function, verdict)
            return verdict

        return checked

    return decorate


def _note(function: Callable, verdict: Verdict) -> None:
    """Keep the attempt in the learner's record; a check that is of no lesson has none."""
    lesson = re.search(r"\.lesson_(\d\d)\.", function.__module__ or "")
    number = re.fullmatch(r"Exercise (\d+)", verdict.exercise)
    if lesson and number:
        progress.note(lesson[1], int(number[1]), verdict.state == CORRECT)


def name_arguments(**case) -> str:
    """How a message names a case, unless a check says otherwise: "size=7, kernel=3"."""
    return ", ".join(f"{name}={value}" for name, value in case.items())


def exercise(
    number: int,
    right: Callable,
    suspects: Sequence[tuple[Callable, str]] = (),
    praise: str = "",
    *,
    say: Callable[..., str] = name_arguments,
    read: Callable | None = None,
    compare: Callable | None = None,
    same: Callable | None = None,
    without: dict | None = None,
    keeps: bool = False,
    otherwise: str | Callable[[Sequence, Sequence], str] = "",
    then: Callable | None = None,
    **style,
) -> Callable:
    """Decorator: turns a generator of cases, a dict of arguments each, into the check of a function.

    Args:
        number: of the exercise in its lesson.
        right: takes the arguments of a case and returns the right answer.
        suspects: mistakes that are often met. Each takes the arguments of a case by position and returns the wrong
            answer; the text says what the cause is if the learner's function gives the same.
        praise: "{count}" stands for the number of cases.
        say: how a message names a case, given its arguments.
        read: takes an answer, the right answer and the case's name; returns the answer in the form of the right one.
        compare: takes the same three; raises `NotYet` if the answers differ.
        same: takes two answers and says whether they agree as far as chance allows; for the suspects.
        without: what the task asks to do without; see `out_of_reach`.
        keeps: whether the function must leave the arrays that it is given as they are.
        otherwise: what to add to the difference if no suspect explains it; or a function that says so, given the
            answers and the right ones.
        then: takes the function once it has passed the cases; may raise `NotYet`.
        style: see `compare_answers`.
    """
    read = read or functools.partial(read_answer, **style)
    compare = compare or functools.partial(compare_answers, **style)

    def decorate(make_cases: Callable[[], Iterable[dict]]) -> Callable:
        def checked(function: Callable) -> str:
            cases, answers, rights, wrong, spoiled = list(make_cases()), [], [], "", ""
            for case in cases:
                shown, expected = say(**case), right(**case)
                lent = _copies(list(case.values()))  # by position: the parameters' names are the learner's
                answer = call(function, *lent, shown=shown, first=not answers, without=without, copies=not keeps)
                answers.append(read(plain(answer), expected, shown))
                rights.append(expected)
                try:
                    compare(answers[-1], expected, shown)
                except NotYet as difference:
                    wrong = wrong or str(difference)
                if keeps and not _same(lent, list(case.values())):
                    spoiled = spoiled or (
                        f"For {shown} what your function was given has changed afterwards: whoever calls it still "
                        "needs that. Write into a copy."
                    )
            if wrong:
                hint = otherwise if isinstance(otherwise, str) else otherwise(answers, rights)
                raise NotYet(
                    wrong + (likely_cause(cases, answers, suspects, same) or spoiled and " " + spoiled or hint)
                )
            if spoiled:
                raise NotYet(spoiled)
            if then:
                then(function)
            return praise.format(count=len(cases))

        functools.update_wrapper(checked, make_cases)
        del checked.__wrapped__  # whose signature would be shown as the check's
        return check(f"Exercise {number}")(checked)

    return decorate


LONGEST = 100_000  # values that are taken from a generator


def call(
    function: Callable,
    *args,
    shown: str = "",
    first: bool = False,
    without: dict | None = None,
    copies: bool = True,
    **kwargs,
):
    """Run the learner's function. What a generator yields is returned as a list.

    Args:
        function: the learner's.
        shown: how to name the arguments in a message, such as "size=7, kernel=3".
        first: whether this is the first call, which finds out whether the stub is untouched.
        without: what is out of reach meanwhile; see `out_of_reach`.
        copies: whether the function gets copies of arrays, tensors and lists.

    Raises:
        NotAttempted: the stub is untouched.
        NotYet: it is not a function, raised an exception, or returned nothing.
    """
    if function is None or function is ...:
        raise NotAttempted
    if not callable(function):
        raise NotYet(f"A function is expected here, not {kind_of(function)}.")
    try:
        with out_of_reach(function, **(without or {})):
            given = _copies(args) if copies else args
            answer = function(*given, **{name: _copies((value,))[0] for name, value in kwargs.items()})
            if isinstance(answer, Iterator):
                answer = list(itertools.islice(answer, LONGEST))
    except OutOfReach as error:
        raise NotYet(f"`{error}` does the whole exercise at once: the point is to do without it.") from None
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and not str(error):  # torch's own say what is not implemented
            raise NotAttempted from None
        lines = [
            frame.line for frame in traceback.extract_tb(error.__traceback__)[1:] if not _is_torchs(frame.filename)
        ]
        line = f", in the line `{lines[0]}`" if lines and lines[0] else ""
        first_line = (str(error).splitlines() or [""])[0][:160].rstrip(".")
        raise NotYet(f"For {shown or 'a random input'} your code stopped with {type(error).__name__}: "
                     f"{first_line}{line}.") from None  # fmt: skip
    if answer is None or answer is ...:
        if first and _is_stub(function):
            raise NotAttempted
        raise NotYet(f"For {shown or 'a random input'} your function returns nothing. Is a `return` missing?")
    return answer


def _is_torchs(file: str) -> bool:
    """Whether a line of code is torch's own: a module that the learner's code calls fails in there."""
    return file.startswith(os.path.dirname(torch.__file__) + os.sep)


def _is_stub(function: Callable) -> bool:
    """Whether a function does nothing at all; one that works but forgets to return has been attempted."""
    code = getattr(function, "__code__", None)
    idle = {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
    return code is not None and all(step.opname in idle for step in dis.get_instructions(code))


def plain(answer):
    """An answer without what makes comparing hard: a gradient, a GPU, an iterator; in lists and tuples, too."""
    if isinstance(answer, torch.Tensor):
        return answer.detach().to_dense().cpu()
    if isinstance(answer, Iterator | range):
        return list(itertools.islice(answer, LONGEST))
    if type(answer) in (list, tuple):
        return type(answer)(plain(part) for part in answer)
    return answer


def whole(value) -> int:
    """A whole number of any type, such as 3, 3.0, `Fraction(3)` or a tensor of 3.

    Raises:
        ValueError: it is a number, but not a whole one.
        TypeError: it is no number.
    """
    number = _number(value)
    if not math.isfinite(number) or number != int(number):
        raise ValueError(f"{number:g} is not a whole number")
    return int(number)


def _number(value) -> int | float:
    """A number of any type as an int or a float; `TypeError` if it is none."""
    if isinstance(value, torch.Tensor | np.ndarray) and math.prod(value.shape) == 1:
        value = plain(value).item()
    if isinstance(value, Decimal):
        value = Fraction(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"a number is expected, not {kind_of(value)}")
    return int(value) if isinstance(value, numbers.Integral) else _shortest(value)


def _shortest(value) -> int | float:
    """A fraction that is a whole number as an int: whole numbers are compared exactly."""
    return int(value) if isinstance(value, numbers.Rational) and value.denominator == 1 else float(value)


def read_value(value, convert: Callable, expected: str):
    """The learner's value, converted, for exercises that ask for a value; `expected` is what to say if that fails."""
    if value is None or value is ...:
        raise NotAttempted("Put your answer in place of `None`, then run this cell again.")
    try:
        return convert(plain(value))
    except (TypeError, ValueError, RuntimeError, ArithmeticError):
        raise NotYet(expected) from None


def read_as(convert: Callable, what: str) -> Callable:
    """A `read` for `exercise` that converts answers; `what` is expected if that fails."""

    def read(answer, expected, shown: str):
        try:
            return convert(plain(answer))
        except (TypeError, ValueError, RuntimeError, ArithmeticError):
            raise NotYet(f"For {shown} {what} expected.") from None

    return read


def read_answer(answer, expected, shown: str, parts: Sequence[str] = (), **style):
    """An answer in the form of the right one: a tuple of parts, a tensor or a number.

    Raises:
        NotYet: the answer is of another kind.
    """
    if isinstance(expected, tuple):
        try:
            triples = list(zip(answer, expected, parts, strict=True))
        except (TypeError, ValueError):
            raise NotYet(f"For {shown} a pair is expected: {' and '.join(parts)}.") from None
        return tuple(
            expect_tensor(part, right, f"{name}, given {shown},")
            if isinstance(right, torch.Tensor)
            else read_answer(part, right, shown)
            for part, right, name in triples
        )
    return read_tensor(answer, expected, shown) if isinstance(expected, torch.Tensor) else expect_number(answer, shown)


def read_tensor(answer, like: torch.Tensor, shown: str) -> torch.Tensor:
    """The learner's answer, an array, a tensor or lists of the same shape, as a tensor; `NotYet` if it is neither."""
    read = answer
    if isinstance(answer, list | tuple):
        try:
            read = torch.from_numpy(np.array(answer, dtype=np.float64))
        except (TypeError, ValueError, RuntimeError):
            read = _stacked(answer)
        if not isinstance(read, torch.Tensor) or read.shape != like.shape:
            read = answer
    elif isinstance(answer, np.ndarray) and answer.dtype.kind in "biufc":
        read = torch.from_numpy(np.ascontiguousarray(answer))
    if not isinstance(read, torch.Tensor):
        raise NotYet(f"For {shown} an array or a tensor is expected, not {kind_of(answer)}.")
    return read.detach()


def _stacked(rows) -> torch.Tensor | None:
    """A list of tensors of equal shape as one tensor."""
    try:
        return torch.stack([torch.as_tensor(row, dtype=torch.float64) for row in rows])
    except (TypeError, ValueError, RuntimeError):
        return None


def expect_number(answer, shown: str) -> float:
    """The learner's answer as a number; `NotYet` if it is not one."""
    try:
        number = _number(answer)
    except (TypeError, ValueError, ArithmeticError):
        raise NotYet(f"For {shown} a number is expected, not {kind_of(answer)}.") from None
    if number != number:
        raise NotYet(f"For {shown} a number is expected, not NaN. (A logarithm of something negative, or 0 / 0?)")
    return number


def expect_tensor(answer, like: torch.Tensor, shown: str) -> torch.Tensor:
    """The learner's answer as a tensor of the shape of `like`; `NotYet` if it is not one."""
    answer = read_tensor(answer, like, shown)
    if answer.shape != like.shape:
        raise NotYet(
            f"For {shown} the shape should be {tuple(like.shape)}; yours is {tuple(answer.shape)}."
            + (" The number of dimensions differs." if answer.ndim != like.ndim else "")
        )
    if answer.is_complex():
        raise NotYet(f"For {shown} real numbers are expected, not complex ones.")
    return answer


def compare_answers(
    answer, expected, shown: str, parts: Sequence[str] = (), noun: str = "answer", tolerance: float = 1e-5
) -> None:
    """Compare numbers, tensors or tuples of these.

    Args:
        parts: the names of a tuple's parts.
        noun: what to call a number, such as "loss".
        tolerance: absolute, and relative for tensors; ten times as much, relative, for numbers. Whole numbers must be
            equal.

    Raises:
        NotYet: naming the first place that differs, and in which direction; the right value stays unsaid.
    """
    if isinstance(expected, tuple):
        for part, right, name in zip(answer, expected, parts, strict=True):
            compare_answers(part, right, f"{name}, given {shown},", tolerance=tolerance)
    elif isinstance(expected, torch.Tensor):
        compare_tensors(answer, expected, shown, tolerance)
    elif not _close(answer, expected, tolerance):
        by_one = " By one." if isinstance(expected, int) and abs(answer - expected) == 1 else ""
        raise NotYet(
            f"For {shown} your {noun}, {answer:g}, is too {'large' if answer > expected else 'small'}.{by_one}"
        )


def _close(a: float, b: float, tolerance: float = 1e-5) -> bool:
    whole = isinstance(a, int | np.integer) or isinstance(b, int | np.integer)
    return a == b if whole else math.isclose(a, b, rel_tol=10 * tolerance, abs_tol=tolerance)


def compare_tensors(answer, expected: torch.Tensor, shown: str, tolerance: float = 1e-5) -> None:
    """Raise `NotYet` unless two tensors are equal, naming the first place that differs and in which direction."""
    given = expect_tensor(answer, expected, shown)
    answer, expected = given.double(), expected.double()
    wrong = ~torch.isclose(answer, expected, rtol=tolerance, atol=tolerance)
    if not wrong.any():
        return
    index = tuple(wrong.nonzero()[0].tolist())
    value = answer[index].item()
    how = "is too large" if value > expected[index].item() else "is too small"
    raise NotYet(
        f"For {shown} the shape is right, but {wrong.float().mean().item():.0%} of the values differ. The first of "
        f"them, at {list(index)}, {'is not a number (NaN)' if value != value else how}: yours is {value:.4g}."
        + _coarse_type(given, expected)
    )


def _coarse_type(answer: torch.Tensor, expected: torch.Tensor) -> str:
    """What to add if an answer is right but for its type, which cannot hold the right numbers."""
    kind = str(answer.dtype).removeprefix("torch.")
    if not answer.is_floating_point():
        cut = any(
            torch.equal(answer.double(), rounded(expected)) for rounded in (torch.trunc, torch.floor, torch.round)
        )
        return f" Likely cause: these are whole numbers ({kind}), so that fractions are lost." if cut else ""
    close = torch.allclose(answer.double(), expected, rtol=torch.finfo(answer.dtype).eps, atol=1e-4)
    if answer.dtype in (torch.float16, torch.bfloat16) and close:
        return f" Likely cause: {kind} keeps two or three digits only; return float32."
    return ""


def likely_cause(cases: Sequence[dict], answers: Sequence, suspects: Sequence, same: Callable | None = None) -> str:
    """The cause of the first suspect that gives just what the learner's code gave, in every case."""
    for compute, cause in suspects:
        try:
            explains = all(
                (same or _same)(compute(*case.values()), answer) for case, answer in zip(cases, answers, strict=True)
            )
        except Exception:  # a mistake that does not work on these inputs, or gives answers of another kind
            continue
        if explains:
            return f" Likely cause: {cause}"
    return ""


def _same(a, b) -> bool:
    """Whether two answers are equal; texts, networks and other objects are when they are the same object or equal."""
    a, b = (torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x for x in (a, b))
    if isinstance(a, list | tuple):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return (
            a.shape == b.shape
            and not (a.is_complex() or b.is_complex())
            and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
        )
    a, b = (x.item() if isinstance(x, torch.Tensor) else x for x in (a, b))
    return _close(a, b) if isinstance(a, numbers.Real) and isinstance(b, numbers.Real) else a is b or a == b


def _copies(values: Sequence) -> list:
    """Copies, so that code which writes into its input cannot change what it is compared with."""
    return [
        v.clone() if isinstance(v, torch.Tensor) else v.copy() if isinstance(v, np.ndarray | list) else v
        for v in values
    ]


def kind_of(value) -> str:
    """What to call something that is of the wrong kind, such as "a list" or "a tensor of shape (2, 3)"."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufc":
        return f"an array of type {value.dtype}"
    if type(value).__module__ == "torch.return_types" and hasattr(value, "values"):  # of max, sort and the like
        return "a pair of values and their places: take its `.values`"
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" or name == "ndarray" else "a"
    return {"NoneType": "None", "ellipsis": "dots", "bool": "True or False", "str": "text"}.get(
        name, f"{article} {name}"
    )
