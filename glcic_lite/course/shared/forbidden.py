"""A function that would do a whole exercise by itself is out of reach while the learner's code is checked."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from unittest import mock

from torch.overrides import TorchFunctionMode


class OutOfReach(Exception):
    """The learner's code has called what the task asks to do without; the message is its name."""


class _Refusal(TorchFunctionMode):
    """Refuses torch's functions by their name, whichever way they are reached: a module, a method, an alias."""

    def __init__(self, pattern: str):
        super().__init__()
        self.pattern = pattern

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if re.fullmatch(self.pattern, name):
            raise OutOfReach("jvp" if name == "_make_dual" else name)  # torch's own name for what jvp begins with
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def out_of_reach(learners: Callable, of_torch: str = "", functions: tuple[Callable, ...] = ()) -> Iterator[None]:
    """While this is open, some functions raise `OutOfReach`.

    Args:
        learners: the learner's function; other functions are taken away from the notebook it was written in.
        of_torch: a regular expression for the names of torch's functions, such as "kron|conv_transpose.*".
        functions: others, of numpy or of this package.
    """
    with contextlib.ExitStack() as stack:
        for function in functions:

            def refuse(*args, name=function.__name__, **kwargs):
                raise OutOfReach(name)

            stack.enter_context(mock.patch.object(sys.modules[function.__module__], function.__name__, refuse))
            written_in = getattr(learners, "__globals__", {})
            for name in [name for name, value in written_in.items() if value is function]:
                stack.enter_context(mock.patch.dict(written_in, {name: refuse}))
        if of_torch:
            stack.enter_context(_Refusal(of_torch))
        yield
