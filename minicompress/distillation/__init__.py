"""Knowledge distillation: a small network learns from the answers of a large one, not from the labels alone."""

from .logit_regression import logit_regression_loss
from .objective import SoftTargets
from .soft_targets import lambda_loss, soft_target_loss
from .softened import log_softened, softened
from .teachers import soft_targets  # which hides the room of this name

__all__ = ["SoftTargets", "lambda_loss", "log_softened", "logit_regression_loss", "soft_target_loss", "soft_targets",
           "softened"]
