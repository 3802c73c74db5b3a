"""A channel that is nearly always zero behind its ReLU tells the next layer nearly nothing (PR-7)."""

import numpy as np

from minicompress import expect
from minicompress.nn import Conv2d, Linear, Module, ReLU, observe
from minicompress.nn.tracing import trace
from minicompress.training import predict

from . import Criterion


def apoz(batches):
    """The average percentage of zeros, a fraction: #(a = 0) / #a of each channel behind its ReLU (PR-7).

    batches : arrays (n, C, …), activations batch by batch, counted together: a short last batch counts as what it is

    Returns (C,) float64 in [0, 1]; the more zeros, the less important. Raises ValueError for no batch, or an empty one.
    Source: Hu et al. 2016, eq. 1.

    >>> apoz([np.array([[0.0, 2.0], [3.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0]])])
    array([0.75, 0.25])
    """
    zeros = elements = 0
    for a in map(np.asarray, batches):
        expect.shaped("activations", a, "(n, C, …), none of them 0", a.ndim >= 2 and a.size)
        zeros = zeros + np.sum(a == 0, axis=(0, *range(2, a.ndim)))
        elements += a.size // a.shape[1]
    expect.that(elements, "batches is empty, expected at least one batch of activations")
    return zeros / elements


def activity(model, data, batch_size=256):
    """1 − APoZ of each layer's channels behind the ReLU that reads them, {layer: (C,)}: scores, larger stays (PR-7).

    ``data`` as `predict` takes them, without augmentation. Raises ValueError, with its name, for a layer whose channels
    could be cut and pass no ReLU: there nothing is exactly 0.

    >>> from minicompress import models
    >>> model, x = models.mlp([4, 3, 2], rng=np.random.default_rng(0)), np.eye(4, dtype=np.float32)
    >>> activity(model, x)
    {'fc1': array([0.5 , 0.  , 0.75])}
    """
    traced, modules = trace(model, data), dict(expect.a(Module, "model", model).named_modules())
    paths, behind = list(traced.carries), {}  # {layer: the first ReLU behind it that carries just its channels}
    for layer, made in traced.writes.items():
        if isinstance(modules[layer], Linear | Conv2d) and traced.fixed.keys().isdisjoint(made.tolist()):
            relus = [modules[path] for path in paths[paths.index(layer):] if type(modules[path]) is ReLU
                     and np.array_equal(traced.carries[path], made)]
            expect.that(relus, f"{layer}'s channels pass no ReLU, so none of their numbers is exactly 0: score them by "
                        "another criterion")
            used = sum(modules[path] is relus[0] for path in paths)
            expect.that(used == 1, f"the ReLU behind {layer} runs {used} times: give each place one of its own")
            behind[layer] = relus[0]
    seen = {id(relu): [] for relu in behind.values()}

    def note(module, x, y):
        if id(module) in seen:
            seen[id(module)].append(y.data != 0)

    with observe(note):
        predict(model, data, batch_size)
    return {layer: 1 - apoz(seen[id(relu)]) for layer, relu in behind.items()}


CRITERION = Criterion("apoz", activity, needs_data=True)
