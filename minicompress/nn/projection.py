"""A projection is the constraint that compression puts on one array: prune, quantize, cluster, binarize."""

from abc import ABC, abstractmethod

from minicompress import expect
from minicompress.forms import Dense, Form

from .parameter import Parameter


class Projection(ABC):
    """One constraint. ``__init__`` stores options; `fit` learns state, whose names end in ``_``.

    The law that ties the methods together: ``p.form(w).dense()`` is ``p(latent)`` bit for bit, for w = latent.data.
    A subclass names in ``represents`` the Form that it gives, and in ``trained`` its state that gradients train.

    >>> class Doubled(Projection):
    ...     def fit(self, w, where=None):
    ...         return self
    ...     def __call__(self, latent):
    ...         return latent * 2
    ...     def form(self, w):
    ...         return Dense(w * 2)
    >>> project(Parameter([1.5]), Doubled()).effective().item()
    3.0
    """

    represents = None
    trained = ()
    _of_form: dict = {}  # noqa: RUF012 - one registry on purpose: Form class -> Projection class

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "represents" in vars(cls):
            Projection._of_form[cls.represents] = cls

    @abstractmethod
    def fit(self, w, where=None):
        """Learn the state from the array w, from its elements at ``where`` only if given; returns self."""

    @abstractmethod
    def __call__(self, latent):
        """The effective Tensor: what the network computes with, given the latent Tensor."""

    @abstractmethod
    def form(self, w):
        """What the result is, for the latent array w, or for the Form that an inner projection made of it."""

    def constrain(self, w):  # noqa: B027 - most have nothing to do
        """Change the latent array in place after an optimizer step, where the method asks for it."""

    def survivors(self):
        """The elements that an inner projection should look at, or None for all."""
        return None

    @classmethod
    def from_form(cls, form):
        """A projection that gives this Form, and the inner Form that is left, or None.

        State that the form doesn't tell stays None: then `fit` learns it, of the values under the outer forms' masks.
        """
        raise NotImplementedError

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.endswith("_"))
        return f"{type(self).__name__}({options})"

    def state(self):
        """The learned state: (name, array or Parameter) pairs; what is not learned yet is None."""
        return [(name, value) for name, value in vars(self).items() if name.endswith("_")]

    def require_fit(self):
        """ValueError while the state is not learned."""
        expect.that(all(value is not None for _, value in self.state()), lambda: f"this {type(self).__name__} is not "
                    "fitted: put it on a parameter by nn.project")

    def load(self, name, array):
        """Put one array of the state back; a trained Parameter stays the same object, that an optimizer knows."""
        expect.that(name in dict(self.state()), lambda: f"{type(self).__name__} has no state {name!r}", KeyError)
        known = getattr(self, name)
        if name in self.trained and known is None:
            setattr(self, name, Parameter(array.copy()))
        elif name in self.trained:
            known.set(array)
        else:
            setattr(self, name, array.copy(order="K"))


def project(parameter, *projections):
    """Put a parameter under constraints, outermost first, each fitted to the elements that those before it let live.

    ``project(layer.weight, Mask(m), WeightClustering(16))`` clusters the surviving weights. Returns the parameter.
    Build the optimizer afterwards: a projection may bring parameters of its own. Raises TypeError for anything but a
    Parameter and projections.

    >>> from minicompress.pruning import Mask
    >>> project(Parameter([1.0, 2.0]), Mask([True, False])).effective().numpy()
    array([1., 0.], dtype=float32)
    """
    expect.a(Parameter, "parameter", parameter)
    for projection in projections:
        expect.a(Projection, "projection", projection)
    _fit(parameter, projections)
    parameter.projections = tuple(projections)
    parameter.constrain()
    return parameter


def _fit(parameter, projections, again=True):
    """Fit each projection, or if not ``again`` those that lack some state, to what those before it let live."""
    where = None
    for projection in projections:
        if again or any(state is None for _, state in projection.state()):
            projection.fit(parameter.data, where=where)
        alive = projection.survivors()
        where = where if alive is None else alive if where is None else where & alive


def assign(parameter, form):
    """Make a parameter hold a Form, with the projections that keep it in that Form.

    Raises ValueError for another shape, TypeError for a form that no imported projection gives.

    >>> import numpy as np
    >>> assign(Parameter([1.0, 2.0]), Dense(np.array([3.0, 4.0], np.float32))).numpy()
    array([3., 4.], dtype=float32)
    """
    expect.a(Form, "form", form)
    expect.shaped("the form", form, f"the parameter's, {parameter.shape}", form.shape == parameter.shape)
    projections, inner = [], form
    while inner is not None and not isinstance(inner, Dense):
        expect.that(type(inner) in Projection._of_form,
                    f"no projection that is imported gives a {type(inner).__name__}", TypeError)
        projection, inner = Projection._of_form[type(inner)].from_form(inner)
        projections.append(projection)
    parameter.set(form.dense())
    _fit(parameter, projections, again=False)
    parameter.projections = tuple(projections)
    return parameter
