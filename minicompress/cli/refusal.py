"""Bad input, told to the user in one line."""

from contextlib import contextmanager


class Refused(Exception):
    """What the user gave can't be used; its text is the line that says why."""


def words(error):
    """An error in one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


@contextmanager
def refusing(*kinds):
    """Whatever is wrong with what the user gave is told in one line."""
    try:
        yield
    except kinds as error:
        raise Refused(words(error)) from error
