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

    __slots__ = ("projections",)

    def __init__(self, data, projections=()):
        super().__init__(data, requires_grad=True)
        self.projections = tuple(projections)

    @classmethod
    def blank(cls, shape):
        """One that takes no memory, whatever its shape, until a value is assigned; all zeros, read-only."""
        return cls(np.broadcast_to(np.float32(0), shape))

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

    def constrain(self):
        """Let each projection correct the latent values after a step."""
        for projection in self.projections:
            projection.constrain(self.data)
