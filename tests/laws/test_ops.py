"""One contract for every op of the engine; the table of ops is in ops_table.py."""

from types import SimpleNamespace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import engine
from minicompress.engine import GradientError, Tensor, conv, gradcheck, no_grad, ops
from minicompress.engine.tensor import primitive
from tests.engine import literal
from tests.mutants import mutate

from .ops_table import CASES


def namespace(*modules):
    """All ops under one roof, those of later modules in place of earlier ones."""
    return SimpleNamespace(**{name: value for module in (engine, ops, conv, *modules)
                              for name, value in vars(module).items() if not name.startswith("__")})


REAL = namespace()
every_op = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
layouts = pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]],
                                  ids=["Fortran", "strided"])


def gradients(f, arrays):
    leaves = [Tensor(a.copy(), requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(np.ones(y.shape))
    return [leaf.grad for leaf in leaves]


# The laws: plain functions of the ops and a case, so that they run on mutants as well


def derivative_is_right(m, case, rng):
    gradcheck(lambda *x: case.call(m, *x), case.arrays(rng), rng=rng)


def derivative_is_right_on_a_diamond(m, case, rng):
    def diamond(*x):
        return case.call(m, *x) + case.call(m, *x) * 0.5 + case.call(m, *[0.75 * a for a in x])
    gradcheck(diamond, case.arrays(rng), rng=rng)


def derivative_is_right_under_broadcasting(m, case, rng):
    a, b = case.arrays(rng)  # both (3, 4)
    for left, right in ((a[:, :1], b), (a, b[:1]), (a[0], b[:, :1]), (a, b[0, 0]), (a[None], b[:, None, :])):
        gradcheck(lambda *x: case.call(m, *x), [left, right], rng=rng)


def equals_its_reference(m, case, rng):
    arrays = case.arrays(rng)
    got, expected = case.call(m, *map(Tensor, arrays)).numpy(), np.asarray(case.reference(*arrays))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


def keeps_the_precision(m, case, rng):
    for dtype in (np.float32, np.float64):
        leaves = [Tensor(a.astype(dtype), requires_grad=True) for a in case.arrays(rng)]
        y = case.call(m, *leaves)
        assert y.dtype == dtype
        y.backward(np.ones(y.shape))
        for leaf in leaves:
            assert type(leaf.grad) is np.ndarray and leaf.grad.dtype == dtype and leaf.grad.shape == leaf.shape


def leaves_its_inputs_alone(m, case, rng):
    arrays = [a.copy() for a in case.arrays(rng)]
    before = [a.tobytes() for a in arrays]
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = case.call(m, *leaves)
    value = y.numpy().tobytes()
    y.backward(np.ones(y.shape))
    assert [a.tobytes() for a in arrays] == before
    assert y.numpy().tobytes() == value, "backward changed the result"


def gradients_are_nobody_elses(m, case, rng):
    arrays = case.arrays(rng)
    got = gradients(lambda *x: case.call(m, *x), arrays)
    for i, g in enumerate(got):
        assert g.flags.writeable
        assert not any(np.may_share_memory(g, other) for other in got[i + 1:])


def asks_no_gradient_that_none_requires(m, case, rng):
    arrays = case.arrays(rng)
    assert not case.call(m, *map(Tensor, arrays)).requires_grad
    for chosen in range(len(arrays)):
        leaves = [Tensor(a.copy(), requires_grad=i == chosen) for i, a in enumerate(arrays)]
        y = case.call(m, *leaves)
        assert y.requires_grad
        y.backward(np.ones(y.shape))
        assert [leaf.grad is not None for leaf in leaves] == [i == chosen for i in range(len(leaves))]
        with no_grad():
            assert not case.call(m, *leaves).requires_grad


def does_not_depend_on_memory_order(m, case, rng, layout):
    arrays = case.arrays(rng)
    expected = case.call(m, *map(Tensor, arrays)).numpy()
    np.testing.assert_allclose(case.call(m, *[Tensor(layout(a)) for a in arrays]).numpy(), expected, rtol=1e-12,
                               atol=1e-13)
    for got, wanted in zip(gradients(lambda *x: case.call(m, *x), [layout(a) for a in arrays]),
                           gradients(lambda *x: case.call(m, *x), arrays), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)


LAWS = [derivative_is_right, derivative_is_right_on_a_diamond, equals_its_reference, keeps_the_precision,
        leaves_its_inputs_alone, gradients_are_nobody_elses, asks_no_gradient_that_none_requires]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@every_op
def test_law(case, law):
    law(REAL, case, np.random.default_rng(11))


@layouts
@every_op
def test_memory_order(case, layout):
    does_not_depend_on_memory_order(REAL, case, np.random.default_rng(12), layout)


@pytest.mark.parametrize("case", [case for case in CASES if case.broadcasts], ids=lambda case: case.name)
def test_broadcasting(case):
    derivative_is_right_under_broadcasting(REAL, case, np.random.default_rng(13))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_one_tensor_twice(name):
    x = np.random.default_rng(14).uniform(0.5, 2.0, (3, 4))
    gradcheck(lambda x: getattr(ops, name)(x, x), [x])
    gradcheck(lambda x: ops.matmul(x, ops.transpose(x)), [x])


@given(st.data())
def test_convolution_of_any_size(data):
    def number(low, high):
        return data.draw(st.integers(low, high))

    groups, k, stride, padding = number(1, 3), number(1, 3), number(1, 3), number(0, 2)
    size = st.integers(max(1, k - 2 * padding), 6)
    shape = (number(1, 3), groups * number(1, 2), data.draw(size), data.draw(size))
    filters = groups * number(1, 2)
    rng = np.random.default_rng(number(0, 2**32))
    x, w, b = (rng.standard_normal(s) for s in (shape, (filters, shape[1] // groups, k, k), (filters,)))
    options = {"stride": stride, "padding": padding, "groups": groups}
    expected = literal.conv2d(x.tolist(), w.tolist(), b.tolist(), **options)
    got = engine.conv2d(*map(Tensor, (x, w, b)), **options).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    gradcheck(lambda *a: engine.conv2d(*a, **options), [x, w, b], directions=1)


def test_convolution_in_several_blocks_of_rows():
    rng = np.random.default_rng(18)  # 8 · 5² · 16 · 100 numbers a row are more than one block holds
    x, w = rng.standard_normal((100, 8, 8, 20)), rng.standard_normal((4, 8, 5, 5))
    together = engine.conv2d(Tensor(x), Tensor(w)).numpy()
    alone = [engine.conv2d(Tensor(image[None]), Tensor(w)).numpy()[0] for image in x[::10]]
    np.testing.assert_allclose(together[::10], alone, rtol=1e-12, atol=1e-11)
    gradcheck(engine.conv2d, [x, w], directions=1)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.sampled_from(["add", "multiply"]))
def test_broadcasting_of_any_shapes(shapes, name):
    rng = np.random.default_rng(19)
    gradcheck(getattr(ops, name), [rng.standard_normal(shape) for shape in shapes.input_shapes], directions=1)


@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3))
def test_matmul_of_any_shapes(shapes):
    rng = np.random.default_rng(20)
    a, b = (rng.standard_normal(shape) for shape in shapes.input_shapes)
    assert ops.matmul(Tensor(a), Tensor(b)).numpy().tobytes() == np.matmul(a, b).tobytes()
    gradcheck(ops.matmul, [a, b], directions=1)


# The table is complete


def primitives():
    """(module, name) of each, under the first of its names."""
    named = {value: (module, name) for module in (conv, ops) for name, value in reversed(vars(module).items())
             if getattr(value, "__code__", None) is ops.add.__code__}
    return sorted(named.values(), key=lambda found: found[1])


def test_every_primitive_is_in_the_table():
    found, listed = {name for _, name in primitives()}, {name for case in CASES for name in case.primitives}
    assert len(found) > 30
    assert not found - listed, "no case covers these primitives"
    assert not listed - found, "the table speaks of primitives that do not exist"


def test_every_op_is_in_the_table():
    not_ops = {"Codes", "GradientError", "Tensor", "gradcheck", "no_grad", "abs"}
    assert engine.abs is engine.absolute
    assert {case.name.partition(" ")[0] for case in CASES} >= set(engine.__all__) - not_ops


@pytest.mark.parametrize(("module", "name"), primitives(), ids=[name for _, name in primitives()])
def test_a_case_runs_the_primitive_that_it_covers(module, name, monkeypatch):
    class Ran(Exception):
        pass

    def run(*args, **kwargs):
        raise Ran

    monkeypatch.setattr(module, name, run)
    for case in (case for case in CASES if name in case.primitives):
        with pytest.raises(Ran):
            case.call(namespace(), *[Tensor(a, requires_grad=True) for a in case.arrays(np.random.default_rng(15))])


# The laws have teeth


def square(derivative):
    return primitive(lambda a: a * a, lambda g, y, a: g * derivative * a)


def test_gradcheck_rejects_a_slightly_wrong_derivative():
    x = np.random.default_rng(16).standard_normal((3, 4))
    gradcheck(square(2.0), [x])
    with pytest.raises(GradientError, match="derivative"):
        gradcheck(square(2.001), [x])
    with pytest.raises(GradientError, match="derivative"):
        gradcheck(lambda a: 1e-8 * square(2.001)(a), [x])


def test_gradcheck_rejects_a_missing_gradient():
    with pytest.raises(GradientError, match=r"is none, expected float64 of shape \(2,\)"):
        gradcheck(lambda a, b: a * b.detach(), [np.ones(2), np.ones(2)])


def test_gradcheck_needs_float64():
    with pytest.raises(TypeError, match=r"shape \(2,\) is float32, expected float64"):
        gradcheck(lambda a: a, [np.ones(2, np.float32)])


MUTANTS = [
    (ops, "lambda g, y, a, b: -g)", "lambda g, y, a, b: g)"),
    (ops, "lambda g, y, a, b: -g * y / b)", "lambda g, y, a, b: -g * a / b)"),
    (ops, "g / (2 * y))", "g / y)"),
    (ops, "g * (1 - y * y))", "g * (1 - y))"),
    (ops, "g * (y > 0))", "g * (y >= 0) * 0.999)"),
    (ops, "lambda g, y, c, a, b: np.where(c, 0, g))", "lambda g, y, c, a, b: np.where(c, g, g))"),
    (ops, "g * np.greater(a, b) +", "g * np.greater(b, a) +"),
    (ops, "a ** (n - (n != 0))", "a ** n"),
    (ops, "g * (y == a))", "g)"),
    (ops, "(w.T @ g.T).T", "(w.T @ g.T).T * 2"),
    (ops, "g.sum(axis=0))", "g.mean(axis=0))"),
    (ops, "recording() and not x.requires_grad and", "recording() and"),
    (ops, "full[used] = g.T", "full[used] = g.T * (full[used] + 1.001)"),
    (ops, "* (y.size / a.size)", "/ a.size"),
    (ops, "np.argsort(np.mod(axes, g.ndim))", "np.argsort(axes)"),
    (ops, "np.argsort(np.mod(axes, g.ndim))", "np.mod(axes, g.ndim)"),
    (ops, "np.add.at(full, index, g)", "full[index] = g"),
    (ops, "np.ravel(g, order)", "np.ravel(g)"),
    (ops, "indices = indices.astype(np.intp) % a.shape[axis]", "indices = np.maximum(indices, 0)"),
    (ops, "a.shape[axis] for a in arrays[:position]", "a.shape[axis] for a in arrays[:0]"),
    (ops, "np.moveaxis(g, axis, 0)[i]", "np.moveaxis(g, axis, 0)[0]"),
    (ops, "keepdims) * np.exp(a - _spread(y", "keepdims) * np.exp(_spread(y"),
    (ops, "g - np.exp(y) * g.sum(axis=axis, keepdims=True)", "g - np.exp(y)"),
    (ops, "y * (g - (g * y).sum(axis=axis, keepdims=True))", "y * g"),
    (ops, "p[np.arange(len(z)), labels] -= 1", "p[np.arange(len(z)), labels] -= 1.001"),
    (ops, "p *= g / len(z)", "p *= g"),
    (ops, "p.sum(axis=1, keepdims=True) * _softmax(z)", "_softmax(z)"),  # right only where rows sum to 1
    (ops, "return g.reshape(a.shape)", "return g.reshape(a.shape[::-1]).T"),
    (ops, "x * (1 / (1 - p))", "x"),
    (ops, "y += bias[:, None]", "y += 2 * bias[:, None]"),
    (ops, "return np.maximum(a, 0)", "return np.maximum(a, 0, out=a)"),  # in place
    (ops, "g * np.sign(a)", "g * np.sign(a, dtype=float)"),  # float64 gradients of float32
    (conv, "y += bias[:, None, None, None]", "y += 2 * bias[:, None, None, None]"),
    (conv, "filters = weight.reshape(groups, f // groups, -1).swapaxes(1, 2)",
     "filters = weight[:, :, ::-1, ::-1].reshape(groups, f // groups, -1).swapaxes(1, 2)"),
    (conv, "windows[:, i, j, rows] += columns[:, i, j]", "windows[:, i, j, rows] = columns[:, i, j]"),
    (conv, "result += g[:, :, rows]", "result -= g[:, :, rows]"),
    (conv, "winner = (x[window] == y) & free", "winner = free"),
    (conv, "result[window] += share", "result[window] = share"),
    (conv, "g / kernel**2", "g / kernel"),
    (conv, "padded[:, padding:padding + h, padding:padding + w].transpose(3, 0, 1, 2)",
     "padded[:, :h, :w].transpose(3, 0, 1, 2)"),
]


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS, ids=[f"{old} -> {new}" for _, old, new in MUTANTS])
def test_a_planted_bug_is_caught(module, old, new):
    mutant = namespace(mutate(module, old, new))
    with pytest.raises((AssertionError, ValueError, TypeError)):
        for case in CASES:
            for law in LAWS:
                law(mutant, case, np.random.default_rng(17))
