"""The words in which arguments are refused, once: NAME is VALUE, expected …; what fits comes back.

The public function checks, at its border; private ones don't. What a value is called comes first: it is what the reader
of the message has typed.
"""

import math
from numbers import Integral, Real

import numpy as np


def that(holds, message, kind=ValueError):
    """Refuse unless something holds; the message is a text, or a function that makes it where making it takes time.

    >>> that(1 > 2, "a is 1, expected more than 2")
    Traceback (most recent call last):
    ValueError: a is 1, expected more than 2
    """
    if not holds:
        raise kind(message() if callable(message) else message)


def integer(name, value, least=None, most=None, kind=ValueError):
    """The value as a Python integer within bounds; `kind` for what is none, ValueError for one beyond them.

    >>> integer("k", np.int64(3), 1), integer("bits", 16, 1, 16)
    (3, 16)
    >>> integer("k", 0, 1)
    Traceback (most recent call last):
    ValueError: k is 0, expected an integer of at least 1
    """
    wanted = f"an integer{_bounds(least, most)}"
    that(isinstance(value, Integral) and not isinstance(value, bool), lambda: f"{name} is {value!r}, expected {wanted}",
         kind)
    that((least is None or value >= least) and (most is None or value <= most),
         lambda: f"{name} is {value!r}, expected {wanted}")
    return int(value)


def integers(least, **values):
    """Several by their names, a list: see `integer`.

    >>> integers(1, stride=2, kernel=3)
    [2, 3]
    """
    return [integer(name, value, least) for name, value in values.items()]


def divisor(name, value, *channels):
    """The value, which divides each of these numbers of channels.

    >>> divisor("groups", 2, 4, 6)
    2
    >>> divisor("groups", 4, 4, 6)
    Traceback (most recent call last):
    ValueError: groups is 4, expected a divisor of 4 and 6 channels
    """
    that(not any(count % value for count in channels),
         lambda: f"{name} is {value}, expected a divisor of {' and '.join(map(str, channels))} channels")
    return value


def number(name, value, least=-math.inf, most=math.inf, *, above=-math.inf, below=math.inf, kind=TypeError):
    """The value as a float within bounds, finite ones; ``kind`` for what is no number, ValueError for one beyond.

    least, most : what it may be; above, below : what it must not reach

    >>> number("lr", 1, least=0)
    1.0
    >>> number("temperature", 0, above=0)
    Traceback (most recent call last):
    ValueError: temperature is 0, expected a finite number above 0
    """
    that(isinstance(value, Real) and not isinstance(value, bool), lambda: f"{name} is {value!r}, expected a number",
         kind)
    that(least <= value <= most and above < value < below,
         lambda: f"{name} is {value!r}, expected {_number(least, most, above, below)}")
    return float(value)


def positive(**values):
    """Several finite numbers above 0 by their names, a list of floats: see `number`.

    >>> positive(step_size=2, gamma=0.5)
    [2.0, 0.5]
    """
    return [number(name, value, above=0) for name, value in values.items()]


def _number(least, most, above, below):
    if math.isfinite(least) and math.isfinite(most):
        return f"a number from {least} to {most}"
    words = [f"{word} {bound}" for word, bound in (("of at least", least), ("of at most", most), ("above", above),
                                                   ("below", below)) if math.isfinite(bound)]
    return " ".join(["a finite number", " and ".join(words)]).strip()


def _bounds(least, most):
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of at least {least}" if least is not None else f" of at most {most}" if most is not None else ""


def fraction(name, value, *, below=math.inf, above=-math.inf):
    """The value as it is, a fraction in [0, 1], or beyond one end or below another.

    >>> fraction("sparsity", 0.5)
    0.5
    >>> fraction("p", 1, below=1)
    Traceback (most recent call last):
    ValueError: p is 1, expected a fraction in [0, 1)
    """
    span = f"{'(' if above >= 0 else '['}0, 1{')' if below <= 1 else ']'}"
    that(isinstance(value, Real) and not isinstance(value, bool) and 0 <= value <= 1 and above < value < below,
         lambda: f"{name} is {value!r}, expected a fraction in {span}")
    return value


def one_of(name, value, known):
    """The value, one of those known.

    >>> one_of("budget", "F", ("E", "B"))
    Traceback (most recent call last):
    ValueError: budget is 'F', expected one of 'E', 'B'
    """
    that(value in list(known), lambda: f"{name} is {value!r}, expected one of {', '.join(map(repr, known))}")
    return value


def some_of(name, values, known):
    """The values, each of those known.

    >>> some_of("real names", ["fc9"], ["fc1", "fc2"])
    Traceback (most recent call last):
    ValueError: real names ['fc9'], expected some of ['fc1', 'fc2']
    """
    unknown = sorted(set(values) - set(known))
    that(not unknown, lambda: f"{name} {unknown}, expected some of {sorted(known)}")
    return values


def a(kind, name, value, expected=None):
    """The value, an instance of a class, or of one of several.

    >>> a(dict, "keep", [1])
    Traceback (most recent call last):
    TypeError: keep is a list, expected a dict
    """
    that(isinstance(value, kind), lambda: f"{name} is {article(type(value))}, expected {expected or article(kind)}",
         TypeError)
    return value


def article(kind):
    """The name of a class behind its article.

    >>> article(int)
    'an int'
    """
    return f"{'an' if kind.__name__[0] in 'AEIOUaeiou' else 'a'} {kind.__name__}"


def function(name, value, expected="a callable"):
    """The value, which can be called.

    >>> function("objective", 3, "a callable (model, batch) -> loss")
    Traceback (most recent call last):
    TypeError: objective is 3, expected a callable (model, batch) -> loss
    """
    that(callable(value), lambda: f"{name} is {value!r}, expected {expected}", TypeError)
    return value


def generator(rng, without=None):
    """The generator; None, too, where ``without`` says what for.

    >>> generator(0)
    Traceback (most recent call last):
    TypeError: rng is 0, expected a np.random.Generator
    """
    that(isinstance(rng, np.random.Generator) or (rng is None and without is not None),
         lambda: f"rng is {rng!r}, expected a np.random.Generator" + (f" (or None, {without})" if without else ""),
         TypeError)
    return rng


def reals(name, array, *, finite=False):
    """The value as an array of real numbers; TypeError for others, and ValueError, if they must be ``finite``.

    >>> reals("weights", [1j])
    Traceback (most recent call last):
    TypeError: weights of shape (1,) are complex128, expected real numbers
    """
    array = np.asarray(array)
    that(array.dtype.kind in "fiu", lambda: f"{name} of shape {array.shape} are {array.dtype}, expected real numbers",
         TypeError)
    if finite and array.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(array))
        that(not len(bad), lambda: f"{name} hold {len(bad)} NaN or infinite of {array.size} numbers, first "
             f"{array[tuple(bad[0])]} at {tuple(bad[0].tolist())}: expected finite numbers")
    return array


def integral(name, array, low=None, high=None, kind=TypeError):
    """The value as an array of integers from low to high.

    >>> integral("labels", np.array([0, 7]), 0, 2)
    Traceback (most recent call last):
    ValueError: labels span 0 to 7, expected 0 to 2
    >>> integral("zero_point", 0.3)
    Traceback (most recent call last):
    TypeError: zero_point is 0.3, expected integers
    """
    array = np.asarray(array)
    that(array.dtype.kind in "iu" or not array.size, lambda: f"{name} "
         f"{f'of shape {array.shape} are {array.dtype}' if array.ndim else f'is {array}'}, expected integers", kind)
    that(low is None or not array.size or low <= array.min() <= array.max() <= high, lambda: f"{name} "
         f"{f'span {array.min()} to {array.max()}' if array.ndim else f'is {array}'}, expected {low} to {high}")
    return array


def shaped(name, array, expected, fits):
    """The array, if its shape fits; ``expected`` says what does.

    >>> shaped("logits", np.zeros(3), "(N, C)", False)
    Traceback (most recent call last):
    ValueError: logits have shape (3,), expected (N, C)
    """
    that(fits, lambda: f"{name} {'has' if not name.endswith('s') else 'have'} shape {np.shape(array)}, expected "
         f"{expected}")
    return array
