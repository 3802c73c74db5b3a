"""The modules of a prepared network: they compute what the converted one will, as floats, and let gradients through.

Each holds an ordinary layer, whose gradient it passes on, and builds the integer layer, whose values it gives: so the
prepared network and the converted one are equal by construction, and `convert` takes the integer layers out (QU-9).
"""

import numpy as np

from minicompress.engine import Codes, avg_pool2d, relu
from minicompress.engine.surrogate import fake_quantize
from minicompress.nn import Identity, Linear, Module, ReLU, assign

from .affine import Grid
from .layers import (
    Dequantize,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool2d,
    QuantizedConv2d,
    QuantizedLinear,
    QuantizedReLU,
    integer_bias,
    integers,
)


class FakeQuantize(Module):
    """Activations rounded to a grid of ``bits`` bits over ``range``, a buffer [r_min, r_max] that `calibrate` fills.

    With an ``observer`` it rounds nothing and shows the observer what passes. Raises ValueError before calibration.
    """

    buffers = ("range",)

    def __init__(self, bits):
        super().__init__()
        self.bits, self.range, self.observer = bits, np.full(2, np.nan), None

    def grid(self):
        """The `Grid` of what this module gives."""
        if np.isnan(self.range).any():
            raise ValueError("the ranges of the activations are not known yet: calibrate the prepared model first")
        return Grid.over(*self.range, self.bits)

    def real(self, x):
        """What would be computed without quantization of the result, with its gradient."""
        return x

    def codes(self, x):
        """What the converted layer gives: the codes, for an array on the grid of the layer before."""
        return self.grid().quantize(x)

    def converted(self):
        """The integer layer."""
        return Quantize(*self.grid().config())

    def forward(self, x):
        y = self.real(x)
        if self.observer is not None:
            self.observer.update(y.data)
            return y
        return _on(self.grid(), y, self.codes(x.data))


def _on(grid, y, codes):
    """The numbers that codes stand for, with the gradient of y where no code is clipped: up to half a step beyond the
    grid's ends, which still is rounded to them (QU-8)."""
    return fake_quantize(y, grid.dequantize(codes), grid.low - grid.scale / 2, grid.high + grid.scale / 2)


class FakeQuantized(FakeQuantize):
    """A Linear or Conv2d layer with its ReLU, if one follows: the ReLU is the clipping of a range that begins at 0.

    ``reads``: a function that gives the grid of its input.
    """

    def __init__(self, layer, reads, *, rectified, bits):
        super().__init__(bits)
        self.layer, self.reads, self.rectified = layer, reads, rectified

    def real(self, x):
        y = self.layer(x)
        return relu(y) if self.rectified else y

    def blank(self):
        """The integer layer, its weights blank, and the form and int32 biases that belong into it."""
        layer, reads, form = self.layer, self.reads(), self.layer.weight.form()
        lowered = QuantizedLinear if isinstance(layer, Linear) else QuantizedConv2d
        bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.effective().numpy()
        return (lowered(*layer.config()[:-1], *reads.config(), *self.grid().config()), form,
                integer_bias(bias, reads.scale, integers(form)[1]))

    def codes(self, x):
        layer, form, bias = self.blank()
        return layer.run(self.reads().quantize(x), *layer.lower(form, bias)).data

    def converted(self):
        layer, form, bias = self.blank()
        assign(layer.weight, form)
        layer.bias = bias
        return layer


class FakeAdd(FakeQuantize):
    """The sum of the first half of the channels and the second, whose grids ``first`` and ``second`` give."""

    def __init__(self, first, second, *, rectified, bits):
        super().__init__(bits)
        self.first, self.second, self.rectified = first, second, rectified

    def real(self, x):
        half = x.shape[1] // 2
        y = x[:, :half] + x[:, half:]
        return relu(y) if self.rectified else y

    def codes(self, x):
        half = x.shape[1] // 2
        parts = self.first().quantize(x[:, :half]), self.second().quantize(x[:, half:])
        return self.converted()(Codes(np.concatenate(parts, axis=1))).data

    def converted(self):
        return QuantizedAdd(*self.first().config(), *self.second().config(), *self.grid().config())


class FakeAvgPool2d(FakeQuantize):
    """Average pooling whose means are rounded to the grid of its input, ``reads``; its own range is not used."""

    def __init__(self, kernel_size, stride, reads):
        super().__init__(bits=None)
        self.kernel_size, self.stride, self.reads = kernel_size, stride, reads

    def grid(self):
        return self.reads()

    def real(self, x):
        return avg_pool2d(x, self.kernel_size, self.stride)

    def codes(self, x):
        return self.converted()(Codes(self.grid().quantize(x))).data

    def converted(self):
        return QuantizedAvgPool2d(self.kernel_size, self.stride)


class FakeReLU(ReLU):
    """A ReLU of its own: exact on every grid, as 0 has a code."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads

    def converted(self):
        return QuantizedReLU(self.reads().zero_point)


class FakeDequantize(Identity):
    """The end of the network, where the converted one turns codes into numbers; these are numbers already."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads

    def converted(self):
        return Dequantize(*self.reads().config())
