"""Pruned layers that compute on compressed sparse rows, without unpacking them."""

import copy

import numpy as np

from minicompress import expect, nn
from minicompress.coding import csr
from minicompress.engine import Tensor
from minicompress.kernels.csr import CSR

from .magnitude import sparsity as share_of_zeros


@nn.graph.register
class CSRLinear(nn.Module):
    """y = x Wᵀ + b with W in compressed sparse rows (PR-16), in evaluation only: sparse rows have no gradient here.

    A file holds the three arrays as they are; ``nonzeros`` is the length of the first two. Raises ValueError for
    inputs of another size, in training, and for loaded arrays that are no sparse rows.

    >>> layer = CSRLinear.of(nn.Linear(3, 2, rng=np.random.default_rng(0))).eval()
    >>> layer(Tensor(np.zeros((5, 3), np.float32))).shape
    (5, 2)
    """

    buffers, trains = ("data", "indices", "indptr", "bias"), False

    def __init__(self, in_features, out_features, nonzeros):
        super().__init__()
        self.in_features, out_features = expect.integers(1, in_features=in_features, out_features=out_features)
        nonzeros = expect.integer("nonzeros", nonzeros, 0)
        self.data, self.bias = (np.broadcast_to(np.float32(0), (size,)) for size in (nonzeros, out_features))
        self.indices, self.indptr = (np.broadcast_to(np.int32(0), (size,)) for size in (nonzeros, out_features + 1))
        self._matrix, self._of = None, ()  # built of these arrays, at the first use

    @classmethod
    def of(cls, linear):
        """The same layer as an `nn.Linear`, its zeros left out."""
        weight = linear.weight.effective().numpy()
        data, indices, indptr = csr.encode(weight)
        layer = cls(*weight.shape[::-1], len(data))
        layer.data, layer.indices, layer.indptr = data, indices, indptr
        layer.bias = np.zeros(len(weight), weight.dtype) if linear.bias is None else linear.bias.effective().numpy()
        return layer

    def config(self):
        """[in_features, out_features, nonzeros]"""
        return [self.in_features, len(self.bias), len(self.data)]

    def validate(self):
        """Raise ValueError unless the arrays are in the forms that this layer computes with."""
        CSR(self.data, self.indices, self.indptr, (len(self.bias), self.in_features))
        follows = np.ones(len(self.indices), bool)  # another column of its row
        follows[self.indptr[:-1][np.diff(self.indptr) > 0]] = False
        expect.that(not (follows[1:] & (np.diff(self.indices) <= 0)).any(), "columns of a row must ascend")

    def macs(self, output_shape):
        """Multiply-accumulates for one example: one for each weight that was kept (ME-3)."""
        return len(self.data)

    def forward(self, x):
        expect.that(not self.training, "CSRLinear only evaluates: call eval(), or train the Linear that it came from")
        expect.shaped("CSRLinear's x", x, f"(N, {self.in_features})", x.shape[1:] == (self.in_features,))
        arrays = self.data, self.indices, self.indptr
        if self._matrix is None or any(a is not b for a, b in zip(arrays, self._of, strict=True)):  # loaded anew
            self._matrix, self._of = CSR(*arrays, (len(self.bias), self.in_features)), arrays
        product = self._matrix @ x.data[0] if len(x.data) == 1 else self._matrix @ x.data.T
        return Tensor(product.reshape(len(self.bias), -1).T + self.bias)


def to_csr(model, sparsity=0.9):
    """A new model, for evaluation, in which each Linear of at least this sparsity is a `CSRLinear` (PR-1, PR-16).

    Below about 90 % zeros the dense product is faster (``minicompress bench csr`` says from where on here), so those
    layers, and convolutions, stay as they are. Raises ValueError for a sparsity outside [0, 1].

    >>> from minicompress import models
    >>> from minicompress.pruning import MagnitudePruning
    >>> model = models.mlp([4, 50, 2], rng=np.random.default_rng(0))
    >>> _ = nn.project(model.fc1.weight, MagnitudePruning(0.95))
    >>> [type(layer).__name__ for layer in to_csr(model)]
    ['Flatten', 'CSRLinear', 'ReLU', 'Linear']
    """
    expect.fraction("sparsity", sparsity)

    return LOWERED(model, "", sparsity).eval()


def _children(container, path, sparsity):
    return nn.rules.rebuilt(container, path, LOWERED, sparsity)


def _linear(layer, path, sparsity):
    sparse = share_of_zeros(layer.weight.effective().numpy()) >= sparsity
    return CSRLinear.of(layer) if sparse else copy.deepcopy(layer)


LOWERED = nn.Rules("can't be lowered", dict.fromkeys(nn.graph.CONTAINERS, _children) | {nn.Linear: _linear},
                   otherwise=lambda layer, path, sparsity: copy.deepcopy(layer))
