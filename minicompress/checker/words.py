"""Numbers as a learner reads them: short where that tells them apart, in full where it doesn't."""

import numpy as np

MOST = 24  # numbers of an array that are shown


def in_words(value, digits=6):
    """A number, an array or several of them as a short text.

    >>> in_words(np.array([[0.5, -1.0], [1 / 3, 1e-9]])), in_words(2.0)
    ('[[0.5, -1], [0.333333, 1e-09]]', '2')
    """
    if isinstance(value, tuple):
        return ", ".join(in_words(part, digits) for part in value)
    if isinstance(value, list):  # of arrays
        return f"[{', '.join(in_words(part, digits) for part in value)}]"
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return in_words(value.item(), digits)
        if value.size > MOST:
            start = ", ".join(in_words(number, digits) for number in value.ravel()[:MOST // 3].tolist())
            return f"[{start}, …], {value.size} numbers of shape {value.shape}"
        return f"[{', '.join(in_words(part, digits) for part in value)}]"
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, bool | np.bool_ | None):
        return str(value)
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return f"{float(value) + 0.0:.{digits}g}"  # which makes 0 of −0
    return "a NumPy Generator" if isinstance(value, np.random.Generator) else repr(value)


def told_apart(found, expected):
    """Two results in words, with as many digits as it takes to tell them apart."""
    for digits in (6, 17):
        words = in_words(found, digits), in_words(expected, digits)
        if words[0] != words[1]:
            break
    return words


def inputs_in_words(equation, inputs):
    """``z = [1, 2], T = 3``."""
    return ", ".join(f"{name} = {in_words(value)}" for name, value in zip(equation.arguments, inputs, strict=True))
