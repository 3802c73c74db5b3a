"""The walk back through the graph: deep, shared, freed, switched off."""

import gc
import weakref

import numpy as np
import pytest

from minicompress import engine
from minicompress.engine import Tensor, no_grad


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def chain(x, length):
    y = x
    for _ in range(length):
        y = y * 1.0
    return y


@pytest.mark.slow
def test_a_chain_of_100_000_operations():
    x = leaf(2.0)
    chain(x, 100_000).backward()
    assert x.grad == 1.0


@pytest.mark.slow
def test_a_chain_of_100_000_operations_is_deleted_without_backward():
    x = leaf(2.0)
    y = chain(x, 100_000)
    del y
    gc.collect()
    assert x.grad is None


def test_a_chain_of_diamonds_counts_every_path():
    x, y = leaf(1.0), None
    y = x
    for _ in range(60):
        y = y + y  # 2^60 paths, walked once each would take for ever
    y.backward()
    assert x.grad == 2.0**60


def test_paths_of_different_lengths_add_up():
    x = leaf(3.0)
    a = x * x  # 2x
    b = a * x  # 3x²
    (a + b + x).backward()
    assert x.grad == 2 * 3.0 + 3 * 3.0**2 + 1


def test_a_tensor_is_visited_after_all_that_was_made_of_it():
    x = leaf(2.0)
    a = x * 3.0
    early = a * 5.0
    late = early * a  # a's gradient comes through early as well
    late.backward()
    assert x.grad == 2 * 5.0 * (3.0 * 2.0) * 3.0


def test_gradients_add_up_over_two_graphs_and_start_again_after_none():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [5.0, 7.0])
    np.testing.assert_array_equal(first, [2.0, 4.0])  # who kept the first gradient still has it
    x.grad = None
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])


@pytest.mark.parametrize("op", [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a + b + a, lambda a, b: engine.concatenate([a, b]).sum(),
    lambda a, b: engine.stack([a, b]).sum(), lambda a, b: (a + b).reshape(2, 1).transpose(), lambda a, b: a.sum() + b,
    lambda a, b: (a.reshape(1, 2) + b)[0],
])
def test_leaves_never_share_a_gradient(op):
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = op(a, b)
    seed = np.ones(y.shape)
    y.backward(seed)
    expected = b.grad.copy()
    a.grad += 100.0
    seed += 100.0
    np.testing.assert_array_equal(b.grad, expected)


def test_the_graph_is_freed_by_backward():
    x = leaf(1.0, 2.0)
    inner = x * 2.0
    alive = weakref.ref(inner)
    y = inner.sum()
    del inner
    assert alive() is not None
    y.backward()
    assert alive() is None, "after backward the result alone must not keep what it was made of"


def test_reference_counts_suffice_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        hidden = engine.relu(x * 2.0)
        alive = weakref.ref(hidden)
        loss = (hidden * hidden).sum()
        loss.backward()
        del hidden, loss
        assert alive() is None
        discarded = engine.relu(x * 2.0)  # never walked back
        alive = weakref.ref(discarded)
        del discarded
        assert alive() is None
    finally:
        gc.enable()


def test_a_second_backward_raises():
    x = leaf(1.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_backward_through_a_part_that_is_freed_raises():
    x = leaf(1.0)
    shared = x * x
    first, second = shared * 2.0, shared * 3.0
    first.backward()
    with pytest.raises(RuntimeError, match="freed"):
        second.backward()


def test_backward_needs_a_graph():
    with pytest.raises(RuntimeError, match="no gradient is required"):
        (Tensor([1.0]) * 2.0).backward()
    x = leaf(1.0)
    with no_grad():
        y = x * 2.0
    with pytest.raises(RuntimeError, match="no gradient is required"):
        y.backward()
    with pytest.raises(RuntimeError, match="no gradient is required"):
        (x * 2.0).detach().backward()


def test_backward_of_several_elements_needs_a_gradient_of_their_shape():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match=r"single element, got shape \(2,\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(2,\)"):
        (x * x).backward(np.ones(3))
    (x * x).backward([1, 10])
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])
    x.grad = None
    (x * x).backward(Tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])


def test_backward_of_a_leaf_itself():
    x = leaf(7.0)
    x.backward()
    assert x.grad == 1.0


def test_no_grad_nests_and_ends_with_an_exception():
    x = leaf(1.0)
    with no_grad():
        with no_grad():
            assert not (x * 2.0).requires_grad
        assert not (x * 2.0).requires_grad
    assert (x * 2.0).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2.0).requires_grad


def test_intermediate_results_get_no_gradient_of_their_own():
    x = leaf(2.0)
    y = x * 3.0
    (y * y).backward()
    assert y.grad is None and x.grad == 2 * 3.0 * 2.0 * 3.0


def test_a_leaf_that_is_frozen_later_gets_none():
    x, w = leaf(2.0), leaf(3.0)
    w.requires_grad = False
    (x * w).backward()
    assert x.grad == 3.0 and w.grad is None
