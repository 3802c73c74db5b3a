"""A Parameter holds a latent tensor and the projections that make of it what the network computes with."""

import numpy as np

from minicompress.engine import Tensor
from minicompress.forms import Dense


class Parameter(Tensor):
    """A tensor that an optimizer changes: the latent values, and a tuple of projections, outermost first.

    Layers ask for `effective`, in one place: so training, storage and inference agree by construction.

    >>> Parameter([1.0, 2.0]).form()
    Dense(values=array([1., 2.], dtype=float32))
    """

    __slots__ = ("order", "projections")

    def __init__(self, data, projections=(), order="C"):
        super().__init__(data, requires_grad=True)
        self.projections, self.order = tuple(projections), order  # order in memory, as NumPy spells it: "C" or "F"

    @classmethod
    def blank(cls, shape, order="C"):
        """One that takes no memory, whatever its shape, until a value is set; all zeros, read-only."""
        return cls(np.broadcast_to(np.float32(0), shape), order=order)

    def set(self, array):
        """Replace the latent values by a copy of an array, in this parameter's own memory order, and forget .grad."""
        self.data, self.grad = np.array(array, self.dtype, order=self.order), None

    def effective(self):
        """The Tensor that layers compute with: the latent one, projected."""
        tensor = self
        for projection in reversed(self.projections):
            tensor = projection(tensor)
        return tensor

    def form(self):
        """What the effective value is, as a Form; ``parameter.form().dense()`` is it bit for bit."""
        if not self.projections:
            return Dense(self.data)
        form = self.data
        for projection in reversed(self.projections):
            form = projection.form(form)
        return form

    def settle(self):
        """Make the effective value the latent one, and drop the projections that gave it.

        >>> from minicompress.pruning import Mask
        >>> weight = Parameter([1.0, 2.0], [Mask([True, False])])
        >>> weight.settle(); weight.numpy(), weight.projections
        (array([1., 0.], dtype=float32), ())
        """
        self.set(self.effective().numpy())
        self.projections = ()

    def constrain(self):
        """Let each projection correct the latent values after a step."""
        for projection in self.projections:
            projection.constrain(self.data)
