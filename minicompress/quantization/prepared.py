"""From a float network to one whose activations and weights lie on grids: prepare, calibrate, train if you like.

| layer | becomes, once converted |
|---|---|
| Linear, Conv2d (of any groups), with the batch norm and the ReLU that follow | QuantizedLinear, QuantizedConv2d |
| Add of two branches, with the ReLU that follows | Concatenate of the branches and QuantizedAdd |
| AvgPool2d, a ReLU elsewhere | QuantizedAvgPool2d, QuantizedReLU |
| MaxPool2d, Flatten and whatever else `nn.Moves`; Sequential | themselves: they move codes and compare them |
| Dropout | nothing: it does nothing in evaluation |

Any other layer is refused with its reason.
"""

from itertools import pairwise

import numpy as np

from minicompress import expect
from minicompress.forms import Affine, Dense, Sparse
from minicompress.nn import (
    Add,
    AvgPool2d,
    BatchNorm1d,
    Concatenate,
    Conv2d,
    Dropout,
    Identity,
    Linear,
    Module,
    Moves,
    ReLU,
    Rules,
    Sequential,
    assign,
    fold_batch_norm,
    project,
)
from minicompress.nn.fold import require_told
from minicompress.nn.rules import inside
from minicompress.training import predict

from .affine import code_range
from .fake import FakeAdd, FakeAvgPool2d, FakeDequantize, FakeQuantize, FakeQuantized, FakeReLU
from .ranges import MinMax, MovingAverage
from .weights import AffineQuantization

LOGIT_BITS = 16  # of the network's output: logits are compared, and 8 bits make too many of them equal


def prepare(model, *, weights=8, activations=8, per_channel=True):
    """A new network with quantized weights and, unless ``activations`` is None, fake-quantizers to be calibrated.

    Batch norm is folded first. Weights get an `AffineQuantization`, symmetric, inside the masks that they have. With
    ``activations=None`` only weights are quantized: the model is done, computes in floats, and needs no calibration.

    Args:
        weights: bits of the weights, 1 to 8; to 16 if activations are floats. Weights on a grid of so many bits stay.
        activations: bits of what passes between layers, 1 to 8, or None; the output's are always 16.
        per_channel: a scale for each output channel of the weights, else one for each layer (QU-3).

    Raises TypeError for a layer that the table above leaves out, a subclass of one, parameters that are not float32,
    weights in a form that no grid keeps (clustered, binary), and a `MaxNorm` on them, which would be lost; ValueError
    for weights on a grid of other bits. The model itself stays as it is. Source: Jacob et al. 2018, section 3.

    >>> import numpy as np
    >>> from minicompress import models
    >>> model = models.mlp([4, 3, 2], rng=np.random.default_rng(0))
    >>> [name for name, _ in prepare(model).children()]
    ['quantize', 'flatten', 'fc1', 'fc2', 'dequantize']
    """
    expect.a(Module, "model", model)
    code_range(weights, most=16 if activations is None else 8)
    code_range(8 if activations is None else activations, most=8)
    for name, parameter in model.named_parameters():
        expect.that(parameter.dtype == np.float32, f"{name} is {parameter.dtype}, expected float32: convert the model "
                    "to float32 first", TypeError)
    mode, model = model.training, fold_batch_norm(model)
    for name, module in model.named_modules():
        if isinstance(module, Linear | Conv2d):
            WEIGHTED(module, name, weights, per_channel)
    if activations is None:
        return model
    first = FakeQuantize(activations)
    layers = model if type(model) is Sequential else Sequential({"layer": model})
    taken = {"quantize", "dequantize"} & dict(layers.children()).keys()
    expect.that(not taken, f"layers are called {sorted(taken)}: these names are needed for the ends")
    inner, place = _sequence(layers, "", first, activations)
    expect.that(place is not first, "the model has no layer that computes: there is nothing to quantize")
    place.bits = LOGIT_BITS
    return Sequential({"quantize": first, **dict(inner.children()), "dequantize": FakeDequantize(place.grid)}).train(
        mode)


def _on_a_grid(layer, path, bits, per_channel):
    """Put a layer's weights on a grid, inside their masks; weights that are on one stay."""
    parameter, name = layer.weight, inside(path, "weight")
    form = inner = parameter.form()
    while isinstance(inner, Sparse):
        inner = inner.inner
    if isinstance(inner, Affine):
        expect.that(inner.bits == bits, f"{name} is on a grid of {inner.bits} bits, but weights={bits}: expected the "
                    "same, or weights that are not quantized yet")
        return
    expect.that(isinstance(inner, Dense), f"{name} is a {type(inner).__name__}: its values lie on no even grid; "
                "quantize plain weights", TypeError)
    require_told(parameter, name)
    assign(parameter, form)  # every mask fixed as it is
    project(parameter, *parameter.projections, AffineQuantization(bits, per_channel=per_channel))


WEIGHTED = Rules("can't be quantized", dict.fromkeys((Linear, Conv2d), _on_a_grid))


# ---------------------------------------------------------------------------------------------------------------------
# One rule for each class of layer: (layer, path, place, bits, rectified) -> (its successor, place). A place is a module
# that gives numbers on its grid: the layer reads those of the first, and what follows reads those of the second. With
# ``rectified`` the layer takes in the ReLU behind it.

def _sequence(layers, path, place, bits, rectified=False):
    children, result = [(name, child) for name, child in layers.children() if type(child) is not Dropout], {}
    takes_relu = [type(child) in RECTIFIED and type(after) is ReLU
                  for (_, child), (_, after) in pairwise([*children, ("", None)])]
    for (name, child), takes, taken in zip(children, takes_relu, [False, *takes_relu], strict=False):
        if not taken:
            result[name], place = PREPARED(child, inside(path, name), place, bits, takes)
    return Sequential(result), place


def _weighted(layer, path, place, bits, rectified=False):
    fake = FakeQuantized(layer, place.grid, rectified=rectified, bits=bits)
    return fake, fake


def _add(layer, path, place, bits, rectified=False):
    expect.that(len(layer) == 2, f"{path}, an Add, can't be quantized: it has {len(layer)} branches, not 2", TypeError)
    branches = {name: PREPARED(child, inside(path, name), place, bits) for name, child in layer.children()}
    fake = FakeAdd(*(end.grid for _, end in branches.values()), rectified=rectified, bits=bits)
    together = Concatenate({name: branch for name, (branch, _) in branches.items()})
    return Sequential({"branches": together, "sum": fake}), fake


def _stays(make):
    """The rule of what leaves its input's grid as it is, given a function (layer, grid) -> its successor."""
    return lambda layer, path, place, bits, rectified=False: (make(layer, place.grid), place)


RECTIFIED = Linear, Conv2d, Add
PREPARED = Rules("can't be quantized", {
    Sequential: _sequence, Linear: _weighted, Conv2d: _weighted, Add: _add,
    Moves: _stays(lambda layer, grid: layer), Dropout: _stays(lambda layer, grid: Identity()),
    ReLU: _stays(lambda layer, grid: FakeReLU(grid)),
    AvgPool2d: _stays(lambda layer, grid: FakeAvgPool2d(layer.kernel_size, layer.stride, grid)),
}, {BatchNorm1d: "it follows no Linear or Conv2d into which it could be folded",
    Concatenate: "its branches lie on different grids"})


def calibrate(model, data, *, observer=MinMax, batch_size=256):
    """Choose the ranges of a prepared model's activations by running data through it unquantized; returns the model.

    data: images, or whatever `data.as_split` accepts, without augmentation; observer: a function that makes an observer
    for each place, such as `MinMax`, or ``lambda: Percentile(99.9)``. Weights are quantized meanwhile, activations not.
    Where only weights are quantized there is nothing to choose. Raises TypeError for what is no Module, or makes no
    observer, ValueError for a model of which nothing is quantized.

    >>> import numpy as np
    >>> from minicompress import models
    >>> x = np.ones((5, 4), np.float32)
    >>> model = calibrate(prepare(models.mlp([4, 3, 2], rng=np.random.default_rng(0))), x)
    >>> model.quantize.range
    array([1., 1.])
    """
    require_prepared(model)
    expect.function("observer", observer, "a function that makes one, such as MinMax")
    places = [module for _, module in model.named_modules() if isinstance(module, FakeQuantize)]
    try:
        for place in places:
            place.observer = observer()
        predict(model, data, batch_size)
        for place in places:
            place.range[:] = place.observer.range()
    finally:
        for place in places:
            place.observer = None
    return model


def prepare_qat(model, data, *, weights=8, activations=8, per_channel=True, observer=MovingAverage, batch_size=256):
    """A network to be trained as it will be converted: steps 1 and 2 of quantization-aware training (QU-9).

    1. The ranges of weights and activations are chosen, these on ``data``, and rest. 2. Fake-quantizers stand where the
    converted network rounds. Then: 3. train it by `training.fit`, with an optimizer of its parameters; 4. `convert` it.
    Batch norm is folded before training, so its statistics rest, too. Arguments as for `prepare` and `calibrate`.
    Source: Jacob et al. 2018, section 3.

    >>> from minicompress import models
    >>> from minicompress.quantization import convert
    >>> x = np.ones((5, 4), np.float32)
    >>> model = prepare_qat(models.mlp([4, 3, 2], rng=np.random.default_rng(0)), x, weights=4)
    >>> bool((predict(model, x) == predict(convert(model), x)).all())
    True
    """
    prepared = prepare(model, weights=weights, activations=activations, per_channel=per_channel)
    return calibrate(prepared, data, observer=observer, batch_size=batch_size)


def require_prepared(model):
    """TypeError for what is no model, ValueError for one of which nothing is quantized."""
    expect.a(Module, "model", model)
    expect.that(any(isinstance(projection, AffineQuantization) for _, parameter in model.named_latents()
                    for projection in parameter.projections),
                "this is a float model, nothing in it is quantized: prepare it first")
