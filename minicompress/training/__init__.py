"""How networks learn: one loop, its optimizers and schedules, checkpoints, and the way to measure what was learned."""

from . import optim as optim
from .checkpoint import History as History
from .checkpoint import named as named
from .loop import Training as Training
from .loop import evaluate as evaluate
from .loop import fit as fit
from .loop import predict as predict
from .loop import supervised as supervised
from .metrics import Measures as Measures
