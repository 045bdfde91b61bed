"""The one error that is a user's to mend."""


class UserError(Exception):
    """A mistake in a command, a path, a config or a file.

    The message is one line that says what is wrong, where, and the way out. Scripts print it as
    ``error: …`` and exit with status 2; nobody sees a traceback for it.
    """
