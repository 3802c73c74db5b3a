"""What a student learns from the inside of its teacher: losses on features, at layers named by their dotted names."""

from dataclasses import dataclass
from typing import Any

from minicompress import expect
from minicompress.engine import Tensor
from minicompress.nn import Module, observe
from minicompress.training import supervised

from .objective import _answer


@dataclass(frozen=True)
class Match:
    """One pair of layers, and the loss on what they give for a batch.

    loss : (student's features, a Tensor; teacher's, an array) -> a scalar Tensor, such as `similarity_loss`
    student, teacher : dotted names of layers; the teacher's is the student's unless given
    weight : of this loss in the sum
    """

    loss: Any
    student: str
    teacher: str | None = None
    weight: float = 1.0

    def __post_init__(self):
        expect.function("loss", self.loss, "a callable (student's features, teacher's) -> loss")
        expect.number("weight", self.weight, 0)


class Matching:
    """An objective ``(model, batch) -> loss`` for `fit`: another objective, and Σ weight · loss over pairs of layers.

    The student's features are those of the objective's own first call of the model; the teacher answers in evaluation
    and records no graph.

    Args:
        teacher: a Module.
        matches: one `Match` or more.
        objective: the other part, by default the cross-entropy; None for none, then the model is called once.

    Raises TypeError for a teacher that is no Module, ValueError for no match and, when called, for names of no layer.

    >>> import numpy as np
    >>> from minicompress import models
    >>> from minicompress.data import batches
    >>> teacher, student = (models.mlp([4, 5, 3], rng=np.random.default_rng(seed)) for seed in (0, 1))
    >>> batch, = batches((np.eye(4, dtype=np.float32), np.arange(4) % 3), 4)
    >>> alone = Matching(teacher, Match(lambda s, t: ((s - t) ** 2).mean(), "relu1"), objective=None)
    >>> alone(teacher, batch).item(), alone(student, batch).item() > 0
    (0.0, True)
    """

    def __init__(self, teacher, *matches, objective=supervised):
        self.teacher, self.matches, self.objective = expect.a(Module, "teacher", teacher), matches, objective
        expect.that(matches and all(isinstance(match, Match) for match in matches),
                    lambda: f"matches are {matches}, expected one Match or more")

    def holds(self):
        """What a checkpoint must know of."""
        return {"teacher": self.teacher, "matches": self.matches, "objective": self.objective}

    def __call__(self, model, batch):
        pairs = [(match, match.student, match.teacher or match.student) for match in self.matches]
        with tapped(model, [name for _, name, _ in pairs]) as student:
            own = (self.objective or _forward)(model, batch)
        with tapped(self.teacher, [name for _, _, name in pairs]) as teacher:
            _answer(self.teacher, batch.x)
        parts = [match.weight * match.loss(student[ours], teacher[theirs].data) for match, ours, theirs in pairs]
        return sum(parts[1:] if self.objective is None else [own, *parts[1:]], parts[0])


def _forward(model, batch):
    return model(Tensor(batch.x))


class tapped(observe):
    """``with tapped(model, names) as features:`` collects what layers give, {dotted name: Tensor}, at their first call.

    Raises ValueError for names of no layer.

    >>> import numpy as np
    >>> from minicompress import models
    >>> model = models.mlp([4, 3, 2], rng=np.random.default_rng(0))
    >>> with tapped(model, ["fc1"]) as features:
    ...     _ = model(Tensor(np.zeros((5, 4), np.float32)))
    >>> features["fc1"].shape
    (5, 3)
    """

    def __init__(self, model, names):
        modules = dict(model.named_modules())
        self.wanted = {name: modules[name] for name in expect.some_of("layers", names, modules)}
        self.features = {}
        super().__init__(self._note)

    def _note(self, module, x, y):
        for name, wanted in self.wanted.items():
            if wanted is module:
                self.features.setdefault(name, y)

    def __enter__(self):
        super().__enter__()
        return self.features
