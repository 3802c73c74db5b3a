"""Distillation as an objective for the one training loop."""

from minicompress import expect
from minicompress.engine import Tensor
from minicompress.nn import Module, evaluating
from minicompress.training import predict

from .soft_targets import parts, soft_target_loss
from .softened import require_temperature
from .teachers import mixture


class SoftTargets:
    """An objective ``(model, batch) -> loss`` for `fit`: `soft_target_loss` against frozen teachers (KD-2, KD-5).

    Teachers answer in evaluation, record no graph, and keep their training flags. For examples that reach the student
    unchanged they are asked once, for a whole split together: the answers are found again by the batch's indices.
    Augmented images are shown to the teacher as the student sees them. A teacher must therefore not change while its
    objective is in use; after training it on, make a new one. Without labels, alpha must be 0.

    Args:
        teacher: a Module, or several in a list, whose logits are (N, classes) for the student's inputs.
        temperature, alpha, beta, scale, weights, combine: see `soft_target_loss`.

    Raises TypeError for a teacher that is no Module, ValueError for options that don't fit. Source: Hinton et al. 2015.

    >>> import numpy as np
    >>> from minicompress import models, training
    >>> teacher, student = (models.mlp([4, n, 3], rng=np.random.default_rng(0)) for n in (20, 5))
    >>> unlabelled = np.random.default_rng(1).random((40, 4))
    >>> soft = SoftTargets(teacher, temperature=4.0, alpha=0.0)
    >>> history = training.fit(student, unlabelled, epochs=3, objective=soft, progress=False,
    ...                        rng=np.random.default_rng(2))
    >>> history.loss[-1] < history.loss[0]
    True
    """

    def __init__(self, teacher, *, temperature, alpha, beta=None, scale="T^2", weights=None, combine="probabilities"):
        teachers = teacher if isinstance(teacher, list | tuple) else [teacher]
        self.teachers = [expect.a(Module, "the teacher", one, "a Module or a list of them") for one in teachers]
        alpha, beta = parts(alpha, beta, scale)
        self.options = {"temperature": require_temperature(temperature), "alpha": alpha, "beta": beta, "scale": scale,
                        "weights": mixture(weights, len(self.teachers), combine), "combine": combine}
        self._split = self._logits = None  # what was last asked about, and the answers: (N, C) of each teacher

    def __call__(self, model, batch):
        return soft_target_loss(model(Tensor(batch.x)), self.logits(batch), batch.y, **self.options)

    def holds(self):
        """What a checkpoint must know of: the teachers, and the options."""
        return {"teachers": self.teachers} | self.options

    def logits(self, batch):
        """Each teacher's logits (n, C) for the inputs of a batch: known ones where the batch holds its split's own."""
        if batch.split is None:
            return [_answer(teacher, batch.x) for teacher in self.teachers]
        if batch.split is not self._split:
            self._split, self._logits = batch.split, [predict(teacher, batch.split) for teacher in self.teachers]
        return [logits[batch.indices] for logits in self._logits]


def _answer(teacher, x):
    with evaluating(teacher):
        return teacher(Tensor(x)).data
