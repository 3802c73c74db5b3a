"""The layers, with PyTorch's names, arguments and initial distributions."""

import math

import numpy as np

from minicompress import engine
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from .module import Module
from .parameter import Parameter


def _integers(least=1, **sizes):
    """The sizes as Python integers; ValueError, with the name, for anything but an integer of at least ``least``."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < least:
            raise ValueError(f"{name} is {size!r}, expected an integer of at least {least}")
    return [int(size) for size in sizes.values()]


def _uniform(shape, fan_in, rng, order="C"):
    """U(−1/√fan_in, 1/√fan_in), PyTorch's initial weights and biases; blank for rng=None."""
    if rng is None:
        return Parameter.blank(shape, order)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}, expected a np.random.Generator (or None, to load the weights later)")
    bound = 1 / math.sqrt(fan_in)
    return Parameter(rng.uniform(-bound, bound, shape).astype(np.float32, order=order), order=order)


def _effective(parameter):
    return None if parameter is None else parameter.effective()


class Linear(Module):
    """y = x Wᵀ + b, for x of shape (N, in_features) and W of shape (out_features, in_features).

    ``rng=None`` leaves the parameters blank, to be loaded. Raises ValueError for other shapes.

    >>> Linear(3, 2, rng=np.random.default_rng(0))(Tensor(np.zeros((5, 3), np.float32))).shape
    (5, 2)
    """

    def __init__(self, in_features, out_features, bias=True, *, rng):
        super().__init__()
        in_features, out_features = _integers(in_features=in_features, out_features=out_features)
        self.weight = _uniform((out_features, in_features), in_features, rng, order="F")  # see engine.linear
        self.bias = _uniform((out_features,), in_features, rng) if bias else None

    def config(self):
        """[in_features, out_features, bias]"""
        return [*self.weight.shape[::-1], self.bias is not None]

    def forward(self, x):
        return engine.linear(x, self.weight.effective(), _effective(self.bias))

    def macs(self, output_shape):
        """Multiply-accumulates for one example: out · in (ME-3)."""
        return self.weight.size


class Conv2d(Module):
    """Cross-correlation of images (N, C, H, W) with filters (out_channels, in_channels/groups, k, k), plus a bias.

    ``groups = in_channels`` is depthwise. ``rng=None`` leaves the parameters blank, to be loaded.

    >>> Conv2d(1, 4, 3, padding=1, rng=np.random.default_rng(0))(Tensor(np.zeros((2, 1, 8, 8), np.float32))).shape
    (2, 4, 8, 8)
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1, bias=True, *, rng):
        super().__init__()
        in_channels, out_channels, kernel_size, stride, groups = _integers(
            in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=stride, groups=groups)
        padding, = _integers(least=0, padding=padding)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups is {groups}, expected a divisor of {in_channels} and {out_channels} channels")
        self.stride, self.padding, self.groups = stride, padding, groups
        fan_in = in_channels // groups * kernel_size**2
        self.weight = _uniform((out_channels, in_channels // groups, kernel_size, kernel_size), fan_in, rng)
        self.bias = _uniform((out_channels,), fan_in, rng) if bias else None

    def config(self):
        """[in_channels, out_channels, kernel_size, stride, padding, groups, bias]"""
        out, c_group, k, _ = self.weight.shape
        return [c_group * self.groups, out, k, self.stride, self.padding, self.groups, self.bias is not None]

    def forward(self, x):
        return engine.conv2d(x, self.weight.effective(), _effective(self.bias), stride=self.stride,
                             padding=self.padding, groups=self.groups)

    def macs(self, output_shape):
        """Multiply-accumulates for one example: k² · C/groups · F · H_out · W_out (ME-3)."""
        return self.weight.size * math.prod(output_shape[1:])


class BatchNorm1d(Module):
    """Normalise each feature of (N, C) by the batch's mean and variance, then scale and shift (Ioffe & Szegedy 2015).

    In evaluation the running statistics stand in: running ← (1−momentum)·running + momentum·batch, the variance
    with n−1. Raises ValueError for other shapes, and in training for a single value a channel.

    >>> BatchNorm1d(3)(Tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).numpy().round(3)
    array([[-1.,  0.,  1.],
           [ 1.,  0., -1.]], dtype=float32)
    """

    buffers = ("running_mean", "running_var")
    _ndim, _shape = 2, "(N, C)"

    def __init__(self, num_features, eps=1e-5, momentum=0.1, *, blank=False):
        super().__init__()
        num_features, = _integers(num_features=num_features)
        if not (eps > 0 and 0 <= momentum <= 1):
            raise ValueError(f"eps is {eps}, momentum {momentum}, expected eps > 0 and 0 <= momentum <= 1")

        def constant(value):  # blank ones take no memory until a file's values are assigned
            spread = np.broadcast_to(np.float32(value), (num_features,))
            return spread if blank else spread.copy()

        self.eps, self.momentum = float(eps), float(momentum)
        self.weight, self.bias = Parameter(constant(1)), Parameter(constant(0))
        self.running_mean, self.running_var = constant(0), constant(1)

    def config(self):
        """[num_features, eps, momentum]"""
        return [self.weight.size, self.eps, self.momentum]

    def forward(self, x):
        if x.ndim != self._ndim or x.shape[1] != self.weight.size:
            raise ValueError(f"{type(self).__name__} of {self.weight.size} channels needs {self._shape}, got {x.shape}")
        if not self.training:
            mean, var = self.running_mean.astype(x.dtype), self.running_var.astype(x.dtype)
        else:
            axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
            if count < 2:
                raise ValueError(f"{type(self).__name__} in training needs two values a channel or more, got {x.shape}")
            mean, var = engine.mean(x, axis=axes), engine.var(x, axis=axes)
            self._remember(mean.data, var.data * (count / (count - 1)))
        return engine.batch_norm(x, self.weight.effective(), self.bias.effective(), mean, var, self.eps)

    def _remember(self, mean, var):
        m = self.momentum
        self.running_mean = ((1 - m) * self.running_mean + m * mean).astype(np.float32)
        self.running_var = ((1 - m) * self.running_var + m * var).astype(np.float32)


class BatchNorm2d(BatchNorm1d):
    """Normalise each channel of images (N, C, H, W); otherwise as `BatchNorm1d`.

    >>> BatchNorm2d(2)(Tensor(np.ones((2, 2, 3, 3), np.float32))).shape
    (2, 2, 3, 3)
    """

    _ndim, _shape = 4, "(N, C, H, W)"


class ReLU(Module):
    """max(x, 0).

    >>> ReLU()(Tensor([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return engine.relu(x)


class Dropout(Module):
    """In training each element is zero with probability p and divided by 1−p otherwise; in evaluation, nothing.

    >>> Dropout(0.5, rng=np.random.default_rng(0)).eval()(Tensor([1.0])).numpy()
    array([1.], dtype=float32)
    """

    def __init__(self, p=0.5, *, rng):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is {p}, expected 0 <= p < 1")
        if rng is not None and not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng is {rng!r}, expected a np.random.Generator (or None, to evaluate only)")
        self.p, self.rng = float(p), rng

    def config(self):
        """[p]"""
        return [self.p]

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        if self.rng is None:
            raise ValueError("this Dropout has no rng: a loaded model needs one before it is trained further")
        return engine.dropout(x, self.p, rng=self.rng)


class _Pool(Module):
    def __init__(self, kernel_size, stride=None):
        super().__init__()
        stride = kernel_size if stride is None else stride
        self.kernel_size, self.stride = _integers(kernel_size=kernel_size, stride=stride)

    def config(self):
        """[kernel_size, stride]"""
        return [self.kernel_size] if self.stride == self.kernel_size else [self.kernel_size, self.stride]


class MaxPool2d(_Pool):
    """The largest element of each window; the stride is the window unless given.

    >>> MaxPool2d(2)(Tensor(np.zeros((1, 1, 4, 4), np.float32))).shape
    (1, 1, 2, 2)
    """

    def forward(self, x):
        return engine.max_pool2d(x, self.kernel_size, self.stride)


class AvgPool2d(_Pool):
    """The mean of each window; the stride is the window unless given.

    >>> AvgPool2d(2)(Tensor(np.zeros((1, 1, 4, 4), np.float32))).shape
    (1, 1, 2, 2)
    """

    def forward(self, x):
        return engine.avg_pool2d(x, self.kernel_size, self.stride)


class Flatten(Module):
    """(N, …) -> (N, features).

    >>> Flatten()(Tensor(np.zeros((2, 3, 4, 4), np.float32))).shape
    (2, 48)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return x if x.ndim == 2 else engine.flatten(x)


class ImageInput(Module):
    """Take images as (N, C, H, W) or flat, (N, C·H·W); refuse any other size with a reason.

    >>> ImageInput(1, 2, 2)(Tensor(np.zeros((3, 4), np.float32))).shape
    (3, 1, 2, 2)
    """

    def __init__(self, channels, height, width):
        super().__init__()
        self.shape = tuple(_integers(channels=channels, height=height, width=width))

    def config(self):
        """[channels, height, width]"""
        return list(self.shape)

    def forward(self, x):
        if x.shape[1:] != self.shape and x.shape[1:] != (math.prod(self.shape),):
            c, h, w = self.shape
            raise ValueError(f"this network was built for images (N, {c}, {h}, {w}) or (N, {c * h * w}), got {x.shape}")
        return engine.reshape(x, (x.shape[0], *self.shape)) if x.ndim == 2 else x


class Identity(Module):
    """x itself: the shortcut of a residual block.

    >>> Identity()(Tensor([1.0])).numpy()
    array([1.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return x


class _Container(Module):
    """Modules by position, ``Sequential(a, b)``, or by name, ``Sequential({"fc1": a, "relu": b})``."""

    def __init__(self, *modules):
        super().__init__()
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else dict(enumerate(modules))
        for name, module in named.items():
            name = str(name)
            if not isinstance(module, Module):
                raise TypeError(f"layer {name!r} is a {type(module).__name__}, expected a Module")
            if not name or "." in name or hasattr(type(self), name) or name in vars(self):
                raise ValueError(f"{name!r} can't name a layer: it must be new, not empty, and without a dot")
            vars(self)[name] = module

    def __len__(self):
        return len(self.children())

    def __getitem__(self, index):
        """The layer at a position, or for a slice a container of those very layers, under their names."""
        chosen = self.children()[index]
        return type(self)(dict(chosen)) if isinstance(index, slice) else chosen[1]

    def __iter__(self):
        return iter([module for _, module in self.children()])


class Sequential(_Container):
    """Modules one after the other: ``Sequential(a, b)``, or with names ``Sequential({"fc1": a, "relu": b})``.

    >>> model = Sequential(Flatten(), Linear(4, 2, rng=np.random.default_rng(0)))
    >>> [name for name, _ in model.named_parameters()]
    ['1.weight', '1.bias']
    """

    def forward(self, x):
        for module in self:
            x = module(x)
        return x


class Add(_Container):
    """The sum of what its branches make of the same x: with an `Identity` among them, a residual block.

    Raises ValueError for branches whose results have different shapes, and for no branch at all.

    >>> Add({"body": ReLU(), "shortcut": Identity()})(Tensor([-1.0, 2.0])).numpy()
    array([-1.,  4.], dtype=float32)
    """

    def forward(self, x):
        first, *others = results = _branches(self, x)
        if any(y.shape != first.shape for y in others):
            raise ValueError(f"Add needs branches of one shape, got {[y.shape for y in results]}")
        for y in others:
            first = first + y
        return first


class Concatenate(_Container):
    """What its branches make of the same x, one behind the other along the channels, axis 1.

    Raises ValueError for branches whose results differ in any other axis, and for no branch at all.

    >>> Concatenate(ReLU(), Identity())(Tensor([[-1.0, 2.0]])).numpy()
    array([[ 0.,  2., -1.,  2.]], dtype=float32)
    """

    def forward(self, x):
        return engine.concatenate(_branches(self, x), axis=1)


def _branches(container, x):
    if not len(container):
        raise ValueError(f"{type(container).__name__} has no branch")
    return [module(x) for module in container]
