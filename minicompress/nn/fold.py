"""Batch norm folded into the layer before it: in evaluation both are one affine map, so one layer computes them."""

import copy

import numpy as np

from minicompress import expect
from minicompress.forms import Dense, Sparse

from .layers import Add, BatchNorm1d, BatchNorm2d, Concatenate, Conv2d, Linear, Sequential
from .parameter import Parameter
from .projection import assign
from .rules import Rules, inside, rebuilt


def fold_batch_norm(model):
    """A new model in which each Linear or Conv2d takes the batch norm that directly follows it into its own weights.

    W' = W·γ/√(σ²+ε) for each output channel, b' = (b − μ)·γ/√(σ²+ε) + β, with the running mean μ and variance σ²:
    computed in float64, rounded once to the type of the weights. What the model computes in evaluation stays, up to
    rounding. Masks on the weights and each module's mode are kept. A batch norm that follows no such layer stays, and
    so do subclasses of these layers, which may compute anything.

    Raises TypeError for weights whose form a new scale would undo: fold first, then quantize; and for a projection that
    folding would lose: any on a bias or on the batch norm, and `MaxNorm`. Source: Jacob et al. 2018, eq. 14.

    >>> model = Sequential(Linear(3, 2, rng=np.random.default_rng(0)), BatchNorm1d(2))
    >>> [type(layer).__name__ for layer in fold_batch_norm(model)]
    ['Linear']
    """
    return FOLDED(model, "")


def _branches(model, path):
    return rebuilt(model, path, FOLDED)


def _sequence(model, path):
    children = {}
    for name, child in _branches(model, path).children():
        before = next(reversed(children), None)
        if type(child) in NORMS and before is not None and type(children[before]) in WEIGHTED:
            _fold(children[before], child, inside(path, before), inside(path, name))
        else:
            children[name] = child
    folded = Sequential(children)
    folded.training = model.training
    return folded


def require_told(parameter, name, kept=True):
    """TypeError for a projection that the form of a parameter does not tell, such as `MaxNorm`; for any if not kept."""
    lost = [projection for projection in parameter.projections if not (kept and projection.represents)]
    expect.that(not lost, lambda: f"{name} is under {lost[0]!r}, which the new model would not keep: take it off first",
                TypeError)


def _fold(layer, norm, name, norm_name):
    """Change a layer, which nobody else holds, so that it computes what layer and batch norm did."""
    require_told(layer.weight, f"{name}.weight")
    for owner, parameter in (f"{norm_name}.weight", norm.weight), (f"{norm_name}.bias", norm.bias), *(
            [(f"{name}.bias", layer.bias)] if layer.bias is not None else []):
        require_told(parameter, owner, kept=False)
    gamma, beta = (p.effective().numpy().astype(np.float64) for p in (norm.weight, norm.bias))
    factor = gamma / np.sqrt(norm.running_var.astype(np.float64) + norm.eps)
    bias = 0 if layer.bias is None else layer.bias.effective().numpy().astype(np.float64)
    scaled = _scaled(layer.weight.form(), factor, name)
    assign(layer.weight, scaled)
    layer.bias = Parameter(((bias - norm.running_mean) * factor + beta).astype(layer.weight.dtype))


def _scaled(form, factor, name):
    """The form of weights, masks kept, with each output channel multiplied by its factor."""
    if isinstance(form, Sparse):
        return Sparse(form.mask, _scaled(form.inner, factor, name))
    expect.that(isinstance(form, Dense), lambda: f"{name}.weight is a {type(form).__name__}, which another scale "
                "undoes: fold batch norm first", TypeError)
    factor = factor.reshape(factor.shape + (1,) * (form.values.ndim - 1))
    return Dense((form.values * factor).astype(form.values.dtype))


WEIGHTED, NORMS = (Linear, Conv2d), (BatchNorm1d, BatchNorm2d)
FOLDED = Rules("can't be folded", {Sequential: _sequence, Add: _branches, Concatenate: _branches},
               otherwise=lambda layer, path: copy.deepcopy(layer))
