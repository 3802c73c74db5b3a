"""Every op of the engine: how to call it, inputs for it, and what it must equal. The laws in test_ops.py run over this.

``call(m, *tensors)`` takes the ops from ``m``, so that the same table runs on planted mutants.
"""

from dataclasses import dataclass

import numpy as np

from tests.engine import literal


@dataclass(frozen=True)
class Case:
    name: str
    call: object  # (ops, *tensors) -> Tensor
    inputs: tuple  # for each tensor its shape, or a function of rng that makes the float64 array
    reference: object  # (*arrays) -> array, in NumPy's own functions or literal loops
    covers: tuple = ()  # primitives, if not the one that bears the name
    broadcasts: bool = False

    def arrays(self, rng):
        return [spec(rng) if callable(spec) else rng.standard_normal(spec) for spec in self.inputs]

    @property
    def primitives(self):
        return self.covers or (self.name.partition(" ")[0],)


def away_from(kinks, shape, gap=0.05):
    """Normal numbers, none of them within ``gap`` of a kink."""
    def draw(rng):
        x = rng.standard_normal(shape)
        for kink in kinks:
            x = np.where(np.abs(x - kink) < gap, kink + 2 * gap, x)
        return x
    return draw


def positive(shape):
    return lambda rng: rng.uniform(0.5, 2.0, shape)


def distinct(shape):
    """Numbers at least 0.1 apart, in random order: no ties, also after a step."""
    return lambda rng: (0.1 * rng.permutation(int(np.prod(shape))) - 1.0).reshape(shape)


def distribution(shape):
    def draw(rng):
        p = rng.uniform(0.1, 1.0, shape)
        return p / p.sum(axis=-1, keepdims=True)
    return draw


def batch_last(shape):
    """Images (N, C, H, W) that lie in memory as (C, H, W, N), as convolutions leave them."""
    return lambda rng: rng.standard_normal((*shape[1:], shape[0])).transpose(3, 0, 1, 2)


def _elementwise(name, reference, spec=(3, 4)):
    return Case(name, lambda m, a: getattr(m, name)(a), (spec,), reference)


def _binary(name, reference, a=(3, 4), b=(3, 4)):
    return Case(name, lambda m, a, b: getattr(m, name)(a, b), (a, b), reference, broadcasts=True)


def _reduction(name, reference, spec, **options):
    label = ", ".join(f"{key}={value}" for key, value in options.items())
    return Case(f"{name} {label}", lambda m, a: getattr(m, name)(a, **options), (spec,),
                lambda a: reference(a, **options))


def _logsumexp(a, axis=-1, keepdims=False):
    return np.log(np.exp(a).sum(axis=axis, keepdims=keepdims))


def _softmax(a, axis=-1):
    return np.exp(a) / np.exp(a).sum(axis=axis, keepdims=True)


def _conv(shape, weight, bias=True, images=None, **options):
    def reference(x, w, b=None):
        b = np.zeros(weight[0]) if b is None else b
        return np.array(literal.conv2d(x.tolist(), w.tolist(), b.tolist(), **options))
    label = ", ".join(f"{key}={value}" for key, value in options.items())
    inputs = (images or shape, weight) + ((weight[0],),) * bias
    return Case(f"conv2d {shape} {weight} {label}{'' if bias else ' without bias'}{' batch last' if images else ''}",
                lambda m, x, w, *b: m.conv2d(x, w, *b, **options), inputs, reference, covers=("_conv2d_all",))


def _pool(name, shape, kernel, stride=None, images=None):
    primitive, reduce = {"max_pool2d": ("_max_pool", max),
                         "avg_pool2d": ("_avg_pool", lambda window: sum(window) / len(window))}[name]
    return Case(f"{name} {shape} {kernel} {stride}{' batch last' if images else ''}",
                lambda m, x: getattr(m, name)(x, kernel, stride), (images or distinct(shape),),
                lambda x: np.array(literal.pool2d(x.tolist(), kernel, stride or kernel, reduce)), covers=(primitive,))


def _matmul(a, b):
    return Case(f"matmul {a} {b}", lambda m, x, y: m.matmul(x, y), (a, b), np.matmul)


_SPARSE = np.zeros((5, 12))  # most features are zero in the whole batch: `linear` leaves these out
_SPARSE[:, [1, 4, 7]] = np.arange(15.0).reshape(5, 3) - 7.5
_LABELS = np.array([2, 0, 1, 1, 2])
_INDEX = np.array([0, 2, 2, 1, 0, 0])
_CONDITION = np.array([[True, False, True, True]])
_CODES = np.array([[0, 3, 1], [1, 1, 2]], np.uint8)


def _cross_entropy_of_distributions(z, p):
    return -(p * np.log(_softmax(z))).sum() / len(z)


def _batch_norm(x, weight, bias):
    return np.array(literal.batch_norm(x.tolist(), weight.tolist(), bias.tolist(), 1e-3)[0])


CASES = [
    _binary("add", np.add), _binary("subtract", np.subtract), _binary("multiply", np.multiply),
    _binary("divide", np.divide, b=positive((3, 4))),
    _binary("maximum", np.maximum, distinct((3, 4)), lambda rng: distinct((3, 4))(rng) + 0.05),
    _binary("minimum", np.minimum, distinct((3, 4)), lambda rng: distinct((3, 4))(rng) + 0.05),
    Case("where", lambda m, a, b: m.where(_CONDITION, a, b), ((3, 4), (3, 4)),
         lambda a, b: np.where(_CONDITION, a, b), broadcasts=True),
    _elementwise("negative", np.negative), _elementwise("exp", np.exp), _elementwise("tanh", np.tanh),
    _elementwise("log", np.log, positive((3, 4))), _elementwise("sqrt", np.sqrt, positive((3, 4))),
    _elementwise("absolute", np.abs, away_from([0], (3, 4))),
    _elementwise("relu", lambda a: np.where(a > 0, a, 0), away_from([0], (3, 4))),
    _elementwise("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
    Case("pow 3", lambda m, a: m.pow(a, 3), ((3, 4),), lambda a: a * a * a),
    Case("pow 0", lambda m, a: m.pow(a, 0) + a, ((3, 4),), lambda a: 1 + a),
    Case("pow -1.5", lambda m, a: m.pow(a, -1.5), (positive((3, 4)),), lambda a: 1 / (a * np.sqrt(a))),
    Case("clip", lambda m, a: m.clip(a, -0.5, 0.8), (away_from([-0.5, 0.8], (3, 4)),),
         lambda a: np.minimum(np.maximum(a, -0.5), 0.8)),
    Case("clip below", lambda m, a: m.clip(a, 0.2), (away_from([0.2], (3, 4)),), lambda a: np.maximum(a, 0.2)),
    Case("linear", lambda m, x, w, b: m.linear(x, w, b), ((5, 4), (3, 4), (3,)),
         lambda x, w, b: np.array(literal.linear(x.tolist(), w.tolist(), b.tolist())), covers=("_linear_all",)),
    Case("linear without bias", lambda m, x, w: m.linear(x, w), ((5, 4), (3, 4)), lambda x, w: x @ w.T,
         covers=("_linear_all",)),
    Case("linear of sparse inputs", lambda m, w, b: m.linear(m.Tensor(_SPARSE.astype(w.dtype)), w, b), ((3, 12), (3,)),
         lambda w, b: _SPARSE @ w.T + b, covers=("_linear_all", "_columns")),
    Case("linear of sparse inputs that ask a gradient", lambda m, x, w, b: m.linear(x, w, b),
         (lambda rng: _SPARSE.copy(), (3, 12), (3,)), lambda x, w, b: x @ w.T + b, covers=("_linear_all",)),
    _matmul((3, 4), (4, 2)), _matmul((4,), (4,)), _matmul((3, 4), (4,)), _matmul((4,), (4, 2)),
    _matmul((5, 3, 4), (5, 4, 2)), _matmul((2, 1, 3, 4), (5, 4, 2)), _matmul((3, 4), (5, 4, 2)),
    _matmul((5, 3, 4), (4,)), _matmul((4,), (5, 4, 2)),
    _reduction("sum", np.sum, (2, 3, 4)), _reduction("sum", np.sum, (2, 3, 4), axis=1),
    _reduction("sum", np.sum, (2, 3, 4), axis=(0, -1), keepdims=True),
    _reduction("sum", np.sum, (2, 3, 4), axis=(-1, 0)),
    _reduction("mean", np.mean, (2, 3, 4)), _reduction("mean", np.mean, (2, 3, 4), axis=(0, 2)),
    _reduction("mean", np.mean, (2, 3, 4), axis=-2, keepdims=True),
    _reduction("max", np.max, distinct((2, 3, 4))), _reduction("max", np.max, distinct((2, 3, 4)), axis=(0, 2)),
    _reduction("max", np.max, distinct((2, 3, 4)), axis=-1, keepdims=True),
    Case("var", lambda m, a: m.var(a), ((2, 3, 4),), np.var, covers=("sum", "mean")),
    Case("var of samples", lambda m, a: m.var(a, axis=(0, 2), keepdims=True, correction=1), ((2, 3, 4),),
         lambda a: np.var(a, axis=(0, 2), keepdims=True, ddof=1), covers=("sum", "mean")),
    Case("reshape", lambda m, a: m.reshape(a, (4, -1)), ((2, 3, 4),), lambda a: a.reshape(4, 6)),
    Case("transpose", lambda m, a: m.transpose(a), ((2, 3, 4),), lambda a: a.T),
    Case("transpose axes", lambda m, a: m.transpose(a, (1, -1, 0)), ((2, 3, 4),), lambda a: a.transpose(1, 2, 0)),
    Case("flatten", lambda m, a: m.flatten(a), ((2, 3, 4, 5),), lambda a: a.reshape(2, -1)),
    Case("flatten batch last", lambda m, a: m.flatten(a), (batch_last((2, 3, 4, 5)),), lambda a: a.reshape(2, -1)),
    Case("getitem slice", lambda m, a: m.getitem(a, (slice(None), slice(None, None, -2), None)), ((2, 3, 4),),
         lambda a: a[:, ::-2, None]),
    Case("getitem repeats", lambda m, a: m.getitem(a, _INDEX), ((3, 4),), lambda a: a[_INDEX]),
    Case("getitem pairs", lambda m, a: m.getitem(a, ([0, 1, 1], [2, 2, 2])), ((2, 3, 4),),
         lambda a: a[[0, 1, 1], [2, 2, 2]]),
    Case("getitem mask", lambda m, a: m.getitem(a, _CONDITION[0]), ((4, 2),), lambda a: a[_CONDITION[0]]),
    Case("take centroids", lambda m, c: m.take(c, _CODES), ((4,),), lambda c: c[_CODES]),
    Case("take centroids by column", lambda m, c: m.take(c, np.asfortranarray(_CODES)), ((4,),), lambda c: c[_CODES]),
    Case("take from the end", lambda m, c: m.take(c, [-1, 0, -1]), ((4,),), lambda c: c[[-1, 0, -1]]),
    Case("take along an axis", lambda m, a: m.take(a, _INDEX, axis=-2), ((2, 3, 4),), lambda a: a[:, _INDEX]),
    Case("concatenate", lambda m, a, b, c: m.concatenate([a, b, c], axis=-1), ((2, 3), (2, 1), (2, 2)),
         lambda *arrays: np.concatenate(arrays, axis=-1), covers=("_concatenate_all",)),
    Case("stack", lambda m, a, b, c: m.stack([a, b, c], axis=1), ((2, 3),) * 3,
         lambda *arrays: np.stack(arrays, axis=1), covers=("_stack_all",)),
    Case("pad", lambda m, a: m.pad(a, ((1, 0), (0, 2)), 7.0), ((2, 3),),
         lambda a: np.pad(a, ((1, 0), (0, 2)), constant_values=7.0)),
    Case("pad all round", lambda m, a: m.pad(a, 1), ((2, 3),), lambda a: np.pad(a, 1)),
    _reduction("logsumexp", _logsumexp, (3, 4)), _reduction("logsumexp", _logsumexp, (3, 4), axis=0, keepdims=True),
    _reduction("logsumexp", _logsumexp, (3, 4), axis=None), _reduction("logsumexp", _logsumexp, (2, 3, 4), axis=(0, 2)),
    _reduction("softmax", _softmax, (3, 4)), _reduction("softmax", _softmax, (3, 4), axis=0),
    _reduction("log_softmax", lambda a, axis=-1: np.log(_softmax(a, axis)), (3, 4)),
    _reduction("log_softmax", lambda a, axis=-1: np.log(_softmax(a, axis)), (3, 4), axis=0),
    Case("label_cross_entropy", lambda m, z: m.label_cross_entropy(z, _LABELS), ((5, 3),),
         lambda z: literal.cross_entropy(z.tolist(), _LABELS.tolist())),
    Case("distribution_cross_entropy", lambda m, z, p: m.distribution_cross_entropy(z, p),
         ((5, 3), distribution((5, 3))), lambda z, p: literal.cross_entropy(z.tolist(), p.tolist())),
    Case("dropout", lambda m, x: m.dropout(x, 0.4, rng=np.random.default_rng(7)), ((6, 5),),
         lambda x: np.where(np.random.default_rng(7).random(x.shape, dtype=np.float32) >= 0.4, x / 0.6, 0.0),
         covers=("where",)),
    Case("batch_norm", lambda m, x, w, b: m.batch_norm(x, w, b, m.mean(x, axis=0), m.var(x, axis=0), 1e-3),
         ((6, 3), (3,), (3,)), _batch_norm, covers=("sqrt", "reshape")),
    Case("batch_norm of images", lambda m, x, w, b: m.batch_norm(
        x, w, b, m.mean(x, axis=(0, 2, 3)), m.var(x, axis=(0, 2, 3)), 1e-3), (batch_last((2, 3, 2, 2)), (3,), (3,)),
         lambda x, w, b: _batch_norm(x.transpose(0, 2, 3, 1).reshape(-1, 3), w, b).reshape(2, 2, 2, 3).transpose(
             0, 3, 1, 2), covers=("sqrt", "reshape")),
    _conv((2, 1, 5, 5), (2, 1, 3, 3)), _conv((2, 3, 5, 4), (4, 3, 3, 3), bias=False),
    _conv((2, 2, 6, 5), (3, 2, 2, 2), stride=2), _conv((2, 2, 5, 5), (3, 2, 3, 3), padding=1),
    _conv((1, 2, 7, 6), (2, 2, 3, 3), stride=2, padding=2), _conv((2, 4, 4, 4), (6, 2, 3, 3), padding=1, groups=2),
    _conv((2, 3, 5, 5), (3, 1, 3, 3), stride=2, padding=1, groups=3),  # depthwise
    _conv((2, 3, 5, 5), (6, 1, 2, 2), groups=3), _conv((3, 4, 2, 2), (5, 4, 1, 1)), _conv((2, 2, 3, 3), (2, 2, 3, 3)),
    _conv((3, 2, 5, 5), (3, 2, 3, 3), images=batch_last((3, 2, 5, 5)), padding=1),
    _pool("max_pool2d", (2, 3, 4, 4), 2), _pool("max_pool2d", (2, 2, 5, 7), 2), _pool("max_pool2d", (1, 2, 5, 6), 3, 1),
    _pool("max_pool2d", (1, 2, 7, 7), 2, 3), _pool("max_pool2d", (2, 3, 4, 4), 2, images=batch_last((2, 3, 4, 4))),
    _pool("avg_pool2d", (2, 3, 4, 4), 2), _pool("avg_pool2d", (2, 2, 5, 7), 2), _pool("avg_pool2d", (1, 2, 5, 6), 3, 1),
    _pool("avg_pool2d", (2, 3, 5, 4), 2, images=batch_last((2, 3, 5, 4))),
    Case("global_avg_pool2d", lambda m, x: m.global_avg_pool2d(x), ((2, 3, 4, 5),), lambda x: x.mean(axis=(2, 3)),
         covers=("mean",)),
]
