"""Knowledge distillation: a small network learns from the answers of a large one, not from the labels alone."""

from .losses import (
    lambda_loss,
    log_softened,
    logit_regression_loss,
    soft_target_loss,
    soft_targets,
    softened,
)
from .objective import SoftTargets

__all__ = ["SoftTargets", "lambda_loss", "log_softened", "logit_regression_loss", "soft_target_loss", "soft_targets",
           "softened"]
