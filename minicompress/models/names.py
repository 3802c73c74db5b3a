"""Networks by name, checked against the images and the classes of a data set."""

import re
from itertools import pairwise

from minicompress import expect
from minicompress.nn import describe

from .lenet import lenet_5, lenet_300_100, mlp

NAMES = ("lenet-300-100", "lenet-5", "mlp:INPUTS,HIDDEN,…,CLASSES")
MOST_WEIGHTS = 2**28  # a gigabyte of float32


def build(name, *, rng, image_shape=(28, 28), num_classes=10):
    """The untrained network of a name, for grey images of (height, width) pixels in ``num_classes`` classes.

    ``name`` is "lenet-300-100", "lenet-5", or the layer sizes of an MLP such as "mlp:784,300,10". Raises ValueError
    for any other name, and for a network that does not fit the images or the classes: then it says what would.

    >>> import numpy as np
    >>> build("mlp:64,30,10", rng=np.random.default_rng(0), image_shape=(8, 8)).summary().parameters
    2260
    """
    height, width = image_shape
    inputs, given = height * width, f"the data have images of {height}×{width} in {num_classes} classes"
    if name in ("lenet-300-100", "lenet-5"):
        fits = (height, width) == (28, 28) if name == "lenet-5" else inputs == 784
        expect.that(fits and num_classes <= 10, f"{name} reads 28×28 pixels and tells 10 classes apart at most, "
                    f"{given}: mlp:{inputs},300,100,{num_classes} would fit")
        return lenet_5(rng=rng) if name == "lenet-5" else lenet_300_100(rng=rng)
    sizes = mlp_sizes(name)
    fitting = [inputs, *sizes[1:-1], num_classes]
    expect.that(sizes == fitting, lambda: f"{name} reads {sizes[0]} pixels and tells {sizes[-1]} classes apart, "
                f"{given}: mlp:{','.join(map(str, fitting))} would fit")
    return mlp(sizes, rng=rng)


def mlp_sizes(name):
    """The layer sizes in a name such as "mlp:784,300,10"; ValueError for any other name.

    >>> mlp_sizes("mlp:64,30,10")
    [64, 30, 10]
    """
    known = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
    expect.that(name.startswith("mlp:"), f"no model is called {name[:80]!r}, expected {known}")
    expect.that(re.fullmatch(r"mlp:[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})+", name),
                f"{name[:80]!r}: expected at least two sizes, whole numbers from 1 on, as in mlp:784,300,10")
    sizes = [int(size) for size in name[4:].split(",")]
    weights = sum(a * b for a, b in pairwise(sizes))
    expect.that(weights <= MOST_WEIGHTS, f"{name} has {weights:,} weights, expected at most {MOST_WEIGHTS:,}")
    return sizes


def name_of(description):
    """The name that `build` makes a described graph from (see `nn.describe`), or None for any other graph.

    >>> import numpy as np
    >>> from minicompress.nn import describe
    >>> name_of(describe(build("mlp:784,300,100,10", rng=np.random.default_rng(0))))
    'lenet-300-100'
    """
    if description == describe(lenet_5(rng=None)):
        return "lenet-5"
    if description == describe(lenet_300_100(rng=None)):
        return "lenet-300-100"
    graph = description[1:] if isinstance(description, list) and description[0] == "Sequential" else []
    sizes = [layer[1:] for _, layer in graph if layer[0] == "Linear"]
    sizes = [sizes[0][0], *(outputs for _, outputs, *_ in sizes)] if sizes else []
    if sizes and description == describe(mlp(sizes, rng=None)):
        return "mlp:" + ",".join(map(str, sizes))
    return None
