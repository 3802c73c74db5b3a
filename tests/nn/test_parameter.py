"""Parameters and their projections: put on, nested, taken from a Form."""

import numpy as np
import pytest

from minicompress import nn, training
from minicompress.engine import Tensor
from minicompress.forms import Codebook, Dense, Form, Sparse
from minicompress.nn import Parameter, Projection
from minicompress.pruning import Mask
from minicompress.quantization import WeightClustering


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Recorder(Projection):
    """Changes nothing, but notes what it was fitted to."""

    def fit(self, w, where=None):
        self.where = where
        return self

    def __call__(self, latent):
        return latent

    def form(self, w):
        return w if isinstance(w, Form) else Dense(w)


def test_without_projections_the_effective_value_is_the_latent_one():
    p = Parameter(normal(3, 2))
    assert p.effective() is p and p.requires_grad
    assert p.form() == Dense(p.data)


def test_projections_apply_from_the_innermost_out():
    p = nn.project(Parameter(normal(4, 5)), Mask(normal(4, 5) > 0), WeightClustering(3))
    by_hand = p.projections[0](p.projections[1](p))
    assert p.effective().numpy().tobytes() == by_hand.numpy().tobytes() == p.form().dense().tobytes()


@pytest.mark.parametrize("masks", [[], [0.5], [0.5, 0.7], [0.5, 0.7, 0.9]])
def test_an_inner_projection_is_fitted_to_what_all_outer_ones_let_live(masks):
    masks = [np.random.default_rng(i).random((6, 7)) < share for i, share in enumerate(masks)]
    recorder = Recorder()
    nn.project(Parameter(normal(6, 7)), *map(Mask, masks), Recorder(), recorder)
    if masks:
        np.testing.assert_array_equal(recorder.where, np.logical_and.reduce(masks))
    else:
        assert recorder.where is None


def test_project_constrains_at_once():
    p = nn.project(Parameter([1.0, 2.0]), Mask([True, False]))
    assert p.data.tolist() == [1.0, 0.0]


def test_blank_takes_no_memory_until_it_is_set():
    p = Parameter.blank((3, 2))
    assert p.shape == (3, 2) and p.data.strides == (0, 0) and not p.data.any()
    with pytest.raises(ValueError, match="read-only"):
        p.data[0, 0] = 1.0
    p.set(np.ones((3, 2)))
    p.data[0, 0] = 5.0
    assert p.dtype == np.float32 and p.grad is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_set_keeps_the_memory_order_and_copies(order):
    p, array = Parameter(np.zeros((3, 2), np.float32, order), order=order), normal(3, 2)
    p.set(array)
    assert p.data.flags[f"{order}_CONTIGUOUS"] and not np.shares_memory(p.data, array)
    np.testing.assert_array_equal(p.data, array)


FORMS = [Dense(normal(3, 4)), Codebook(np.arange(12).reshape(3, 4) % 3, [0.5, -1.0, 2.0], 2),
         Sparse(normal(3, 4) > 0, Dense(normal(3, 4))),
         Sparse(normal(3, 4) > 0, Codebook(np.arange(12).reshape(3, 4) % 3, [0.5, -1.0, 2.0], 2)),
         Sparse(normal(3, 4) > 0, Sparse(normal(3, 4) < 1, Dense(normal(3, 4))))]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_assign_makes_a_parameter_hold_a_form(form):
    p = nn.assign(Parameter.blank((3, 4), "F"), form)
    assert p.effective().numpy().tobytes() == p.data.tobytes() == form.dense().tobytes()
    np.testing.assert_array_equal(p.form().dense(), form.dense())
    assert type(p.form()) is type(form)
    assert p.data.flags.f_contiguous and p.data.flags.writeable


def test_an_assigned_parameter_can_be_trained_on():
    p = nn.assign(Parameter.blank((3, 4)), FORMS[3])
    (p.effective() * 2.0).sum().backward()
    trained = p.projections[1].centroids_
    training.optim.SGD([p, trained], lr=0.1).step()
    np.testing.assert_array_equal(p.form().mask, FORMS[3].mask)
    assert p.form().inner.centroids.tolist() != FORMS[3].inner.centroids.tolist()


def test_what_does_not_fit_is_not_assigned():
    p = Parameter(normal(3, 4))
    before = p.data.tobytes()
    with pytest.raises(ValueError, match=r"the form has shape \(2, 3\), expected the parameter's, \(3, 4\)"):
        nn.assign(p, Dense(normal(2, 3)))
    with pytest.raises(TypeError, match="form is a ndarray, expected a Form"):
        nn.assign(p, normal(3, 4))

    class Unknown(Form):
        shape = (3, 4)

    with pytest.raises(TypeError, match="no projection that is imported gives a Unknown"):
        nn.assign(p, Sparse(np.ones((3, 4)), Unknown()))
    assert p.data.tobytes() == before and p.projections == ()


def test_an_unknown_state_is_not_loaded():
    with pytest.raises(KeyError, match="no state 'scale_'"):
        Mask([True]).load("scale_", np.ones(1))


def test_the_gradient_reaches_what_the_projection_trains():
    p = nn.project(Parameter([0.0, 0.1, 5.0, 5.1]), WeightClustering(2))
    (p.effective() * Tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert p.grad is None
    assert p.projections[0].centroids_.grad.tolist() == [3.0, 7.0]  # QU-12


def test_only_projections_project_only_parameters():
    with pytest.raises(TypeError, match="parameter is a ndarray, expected a Parameter"):
        nn.project(np.ones(2))
    with pytest.raises(TypeError, match="projection is an int, expected a Projection"):
        nn.project(nn.Parameter([1.0]), 3)
