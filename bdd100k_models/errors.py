"""The one error that is a user's to mend, and what a message says of a misspelt name."""

import difflib
import sys
import traceback
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in a command, a path, a config or a file.

    The message is one line that says what is wrong, where, and the way out. Scripts print it as
    ``error: …`` and exit with status 2; nobody sees a traceback for it.
    """


def let_go(error: BaseException) -> None:
    """Let go, silently, of what the calls that ``error`` came from had under way.

    What is half made there may fail when it is dropped, and Python would print a second error.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        traceback.clear_frames(error.__traceback__)
    finally:
        sys.unraisablehook = hook


def nearest(name: object, choices: Iterable[str], otherwise: str | None = None) -> str:
    """The end of a message about an unknown ``name``: ``did you mean 'lr' or 'nms'?``.

    Where no choice is near it says ``otherwise``, by default which there are: ``one of a, b, c``.
    """
    known = list(dict.fromkeys(choices))
    by_lower = {choice.lower(): choice for choice in reversed(known)}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(by_lower[text]) for text in close)}?"
    if otherwise is not None:
        return otherwise
    shown = ", ".join(known[:_SHOWN])
    return f"one of {shown}" + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")


#: Choices that a message lists.
_SHOWN = 20
