"""A network as a declaration that needs no code to read: nested lists of layer names, numbers and booleans.

A layer is ``["Linear", 784, 300]``, its class and the arguments that build it, trailing defaults left out; a
Sequential is ``["Sequential", ["fc1", […]], …]``, a name and a declaration for each child.
"""

import inspect
import math
import reprlib

from . import layers
from .layers import Sequential
from .module import Module

LAYERS = {cls.__name__: cls for cls in vars(layers).values() if isinstance(cls, type) and issubclass(cls, Module)
          and cls.__module__ == layers.__name__ and not cls.__name__.startswith("_")}
MAX_DEPTH = 32


def describe(model):
    """The declaration of a model made of the library's own layers; TypeError, with the name, for any other class.

    >>> describe(Sequential({"flat": layers.Flatten(), "pool": layers.MaxPool2d(2)}))
    ['Sequential', ['flat', ['Flatten']], ['pool', ['MaxPool2d', 2]]]
    """
    if type(model) is Sequential:
        return ["Sequential", *([name, describe(child)] for name, child in model.children())]
    if LAYERS.get(type(model).__name__) is not type(model):
        raise TypeError(f"{type(model).__name__} is no layer of the library, so a declaration can't name it")
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
    if not isinstance(description, list) or not description or not isinstance(description[0], str):
        raise ValueError(f"expected a layer's declaration, got {reprlib.repr(description)}")
    if depth > MAX_DEPTH:
        raise ValueError(f"layers are nested deeper than {MAX_DEPTH}")
    name, *arguments = description
    if name not in LAYERS:
        raise ValueError(f"unknown layer {reprlib.repr(name)}, expected one of {sorted(LAYERS)}")
    if name == "Sequential":
        children = {}
        for pair in arguments:
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str) or pair[0] in children:
                raise ValueError(f"Sequential: expected a new name and a declaration, got {reprlib.repr(pair)}")
            children[pair[0]] = build(pair[1], depth + 1)
        return Sequential(children)
    try:
        for argument in arguments:
            if not isinstance(argument, bool | int | float) or not math.isfinite(argument):
                raise ValueError(f"an argument is {reprlib.repr(argument)}, expected a finite number or a boolean")
        options = {"rng": None, "blank": True}
        return LAYERS[name](*arguments, **{key: options[key] for key in options if key in _signature(LAYERS[name])})
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None
