"""From a float network to one that computes in integers only: prepare, calibrate, train if you like, convert.

| layer | becomes |
|---|---|
| Linear, Conv2d (depthwise, too), with the batch norm and the ReLU that follow | QuantizedLinear, QuantizedConv2d |
| Add of two branches, with the ReLU that follows | Concatenate of the branches and QuantizedAdd |
| AvgPool2d, a ReLU elsewhere | QuantizedAvgPool2d, QuantizedReLU |
| MaxPool2d, Flatten, ImageInput, Identity, Sequential | themselves: they move codes and compare them |
| Dropout | nothing: it does nothing in evaluation |

Any other layer is refused with its reason.
"""

import copy
from itertools import pairwise

import numpy as np

from minicompress.claims import Method
from minicompress.engine import no_grad
from minicompress.forms import Affine, Dense, Sparse
from minicompress.nn import (
    Add,
    AvgPool2d,
    BatchNorm1d,
    Concatenate,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    ImageInput,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    assign,
    fold_batch_norm,
    project,
)
from minicompress.nn.fold import require_told
from minicompress.training import predict

from .affine import code_range
from .fake import FakeAdd, FakeAvgPool2d, FakeDequantize, FakeQuantize, FakeQuantized, FakeReLU
from .observers import MinMax, MovingAverage
from .projections import AffineQuantization

LOGIT_BITS = 16  # of the network's output: logits are compared, and 8 bits make too many of them equal
UNMOVED = {  # what leaves its input's grid as it is
    **dict.fromkeys((Flatten, Identity, ImageInput, MaxPool2d), lambda layer, grid: layer),
    Dropout: lambda layer, grid: Identity(),
    ReLU: lambda layer, grid: FakeReLU(grid),
    AvgPool2d: lambda layer, grid: FakeAvgPool2d(layer.kernel_size, layer.stride, grid),
}
REASONS = {BatchNorm1d: "it follows no Linear or Conv2d into which it could be folded",
           Concatenate: "its branches lie on different grids"}


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
    if not isinstance(model, Module):
        raise TypeError(f"model is a {type(model).__name__}, expected a Module")
    for bits, most in (weights, 16 if activations is None else 8), (8 if activations is None else activations, 8):
        code_range(bits)
        if bits > most:
            raise ValueError(f"bits are {bits}, expected at most {most}")
    for name, parameter in model.named_parameters():
        if parameter.dtype != np.float32:
            raise TypeError(f"{name} is {parameter.dtype}, expected float32: convert the model to float32 first")
    mode, model = model.training, fold_batch_norm(model)
    for name, module in model.named_modules():
        if type(module) in (Linear, Conv2d):
            _quantize(module.weight, f"{name}.weight".strip("."), weights, per_channel)
        elif base := next((cls.__name__ for cls in (Linear, Conv2d) if isinstance(module, cls)), None):
            raise TypeError(f"{name or 'the model'}, a {type(module).__name__}, can't be quantized: a subclass of "
                            f"{base} may compute anything")
    if activations is None:
        return model
    first = FakeQuantize(activations)
    layers = model if type(model) is Sequential else Sequential({"layer": model})
    if taken := {"quantize", "dequantize"} & dict(layers.children()).keys():
        raise ValueError(f"layers are called {sorted(taken)}: these names are needed for the ends")
    inner, grid = _sequential(layers, first.grid, activations, "")
    if grid.__self__ is first:
        raise ValueError("the model has no layer that computes: there is nothing to quantize")
    grid.__self__.bits = LOGIT_BITS
    return Sequential({"quantize": first, **dict(inner.children()), "dequantize": FakeDequantize(grid)}).train(mode)


def _quantize(parameter, name, bits, per_channel):
    """Put weights on a grid, inside their masks; weights that are on one stay."""
    form = inner = parameter.form()
    while isinstance(inner, Sparse):
        inner = inner.inner
    if isinstance(inner, Affine):
        if inner.bits != bits:
            raise ValueError(f"{name} is on a grid of {inner.bits} bits, but weights={bits}: expected the same, or "
                             "weights that are not quantized yet")
        return
    if not isinstance(inner, Dense):
        raise TypeError(f"{name} is a {type(inner).__name__}: its values lie on no even grid; quantize plain weights")
    require_told(parameter, name)
    assign(parameter, form)  # every mask fixed as it is
    project(parameter, *parameter.projections, AffineQuantization(bits, per_channel=per_channel))


def _sequential(layers, grid, bits, path):
    """A Sequential rewritten, given the grid of its input, a function; returns it and the grid of its output."""
    children, result = [(name, child) for name, child in layers.children() if type(child) is not Dropout], {}
    takes_relu = [type(child) in (Linear, Conv2d, Add) and type(after) is ReLU
                  for (_, child), (_, after) in pairwise([*children, ("", None)])]
    for (name, child), takes, taken in zip(children, takes_relu, [False, *takes_relu], strict=False):
        if not taken:
            result[name], grid = _rewritten(child, grid, bits, f"{path}.{name}".strip("."), takes)
    return Sequential(result), grid


def _rewritten(layer, grid, bits, path, rectified=False):
    """One layer rewritten, with the ReLU that follows it if ``rectified``; returns it and the grid of its output."""
    kind = type(layer)
    if kind is Sequential:
        return _sequential(layer, grid, bits, path)
    if kind in UNMOVED:
        return UNMOVED[kind](layer, grid), grid
    if kind in (Linear, Conv2d):
        fake = FakeQuantized(layer, grid, rectified=rectified, bits=bits)
        return fake, fake.grid
    if kind is Add and len(layer) == 2:
        branches = {name: _rewritten(child, grid, bits, f"{path}.{name}") for name, child in layer.children()}
        fake = FakeAdd(*(own for _, own in branches.values()), rectified=rectified, bits=bits)
        together = Concatenate({name: branch for name, (branch, _) in branches.items()})
        return Sequential({"branches": together, "sum": fake}), fake.grid
    unknown = f"it has {len(layer)} branches, not 2" if kind is Add else "no integer arithmetic is known for it"
    reason = next((why for cls, why in REASONS.items() if isinstance(layer, cls)), unknown)
    raise TypeError(f"{path}, a {kind.__name__}, can't be quantized: {reason}")


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
    _require_prepared(model)
    if not callable(observer):
        raise TypeError(f"observer is {observer!r}, expected a function that makes one, such as MinMax")
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

    >>> import numpy as np
    >>> from minicompress import models
    >>> x = np.ones((5, 4), np.float32)
    >>> model = prepare_qat(models.mlp([4, 3, 2], rng=np.random.default_rng(0)), x, weights=4)
    >>> bool((predict(model, x) == predict(convert(model), x)).all())
    True
    """
    prepared = prepare(model, weights=weights, activations=activations, per_channel=per_channel)
    return calibrate(prepared, data, observer=observer, batch_size=batch_size)


def convert(model):
    """A new network of integer layers that gives what a prepared and calibrated one gives, bit for bit (QU-9, QU-10).

    A model with nothing but quantized weights is copied. Raises ValueError for a model of which nothing is quantized,
    before calibration, and for a bias that does not fit 32 bits.

    >>> import numpy as np
    >>> from minicompress import models
    >>> x = np.ones((5, 4), np.float32)
    >>> convert(calibrate(prepare(models.mlp([4, 3, 2], rng=np.random.default_rng(0))), x)).fc2.weight.form().bits
    8
    """
    _require_prepared(model)
    with no_grad():
        return _converted(copy.deepcopy(model)).train(model.training)


def _require_prepared(model):
    if not isinstance(model, Module):
        raise TypeError(f"model is a {type(model).__name__}, expected a Module")
    if not any(isinstance(projection, AffineQuantization) for _, parameter in model.named_latents()
               for projection in parameter.projections):
        raise ValueError("this is a float model, nothing in it is quantized: prepare it first")


def _converted(module):
    if hasattr(type(module), "converted"):
        return module.converted()
    if type(module) in (Sequential, Concatenate):
        return type(module)({name: _converted(child) for name, child in module.children()})
    return module


def _integers(bits):
    def quantize(model, tuning):
        prepared = prepare_qat(model, tuning.dataset.train, weights=bits)
        tuning.fit(prepared, adam=3e-4)
        return convert(prepared)
    return quantize


METHODS = tuple(Method(f"int{bits}", ("cut", "pruned"), "a weight has one code: each of the two would replace the "
                       "other's", _integers(bits), f"int{bits}") for bits in (8, 4))
