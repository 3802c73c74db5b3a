"""A network as a declaration that needs no code to read: nested lists of layer names, numbers and booleans.

A layer is ``["Linear", 784, 300]``, its class and the arguments that build it, trailing defaults left out; a
Sequential, Add or Concatenate is ``["Sequential", ["fc1", […]], …]``, a name and a declaration for each child.
"""

import inspect
import math
import reprlib

from minicompress import expect

from . import layers
from .layers import Add, Concatenate, Sequential
from .module import Module

LAYERS = {cls.__name__: cls for cls in vars(layers).values() if isinstance(cls, type) and issubclass(cls, Module)
          and cls.__module__.startswith(layers.__name__) and not cls.__name__.startswith("_")}
CONTAINERS = (Sequential, Add, Concatenate)
MAX_DEPTH = 32


def register(layer):
    """Let declarations, and so files, name a layer class; a decorator for the layers of the chapters.

    The class says by ``config()`` which numbers and booleans build it again; where ``__init__`` has the arguments, it
    is built with ``rng=None`` and ``blank=True``, to be loaded. Raises ValueError for a name that another class has.

    >>> register(layers.ReLU).__name__
    'ReLU'
    """
    known = LAYERS.setdefault(layer.__name__, layer)
    expect.that(known is layer, lambda: f"{layer.__name__} already names {known}")
    return layer


def describe(model):
    """The declaration of a model made of the library's own layers; TypeError, with the name, for any other class.

    >>> describe(Sequential({"flat": layers.Flatten(), "pool": layers.MaxPool2d(2)}))
    ['Sequential', ['flat', ['Flatten']], ['pool', ['MaxPool2d', 2]]]
    """
    if type(model) in CONTAINERS:
        return [type(model).__name__, *([name, describe(child)] for name, child in model.children())]
    expect.that(LAYERS.get(type(model).__name__) is type(model), lambda: f"{type(model).__name__} is no layer of the "
                "library, so a declaration can't name it", TypeError)
    arguments = model.config()
    defaults = [parameter.default for parameter in _signature(type(model)).values()][:len(arguments)]
    while arguments and repr(arguments[-1]) == repr(defaults[len(arguments) - 1]):  # repr, because True == 1
        arguments.pop()
    return [type(model).__name__, *arguments]


def _signature(layer):
    return {key: p for key, p in inspect.signature(layer.__init__).parameters.items() if key != "self"}


def build(description, depth=0):
    """The model of a declaration, its parameters blank, which takes no memory whatever sizes are declared.

    Raises ValueError for anything that is not such a declaration.

    >>> build(["Linear", 784, 300]).weight.shape
    (300, 784)
    """
    expect.that(isinstance(description, list) and description and isinstance(description[0], str),
                lambda: f"expected a layer's declaration, got {reprlib.repr(description)}")
    expect.that(depth <= MAX_DEPTH, f"layers are nested deeper than {MAX_DEPTH}")
    name, *arguments = description
    expect.that(name in LAYERS, lambda: f"unknown layer {reprlib.repr(name)}, expected one of "
                f"{', '.join(sorted(LAYERS))}")
    if LAYERS[name] in CONTAINERS:
        children = {}
        for pair in arguments:
            fits = isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and pair[0] not in children
            expect.that(fits, f"{name}: expected a new name and a declaration, got {reprlib.repr(pair)}")
            children[pair[0]] = build(pair[1], depth + 1)
        return LAYERS[name](children)
    try:
        odd = [value for value in arguments if not (isinstance(value, int | float) and math.isfinite(value))]
        expect.that(not odd, lambda: f"an argument is {reprlib.repr(odd[0])}, expected a finite number or a boolean")
        options = {"rng": None, "blank": True}
        return LAYERS[name](*arguments, **{key: options[key] for key in options if key in _signature(LAYERS[name])})
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None
