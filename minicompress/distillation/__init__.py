"""Knowledge distillation: a small network learns from the answers of a large one, not from the labels alone."""

from .logit_regression import logit_regression_loss as logit_regression_loss
from .matching import Match as Match
from .matching import Matching as Matching
from .matching import tapped as tapped
from .objective import SoftTargets as SoftTargets
from .similarity import similarity_loss as similarity_loss
from .soft_targets import lambda_loss as lambda_loss
from .soft_targets import soft_target_loss as soft_target_loss
from .softened import log_softened as log_softened
from .softened import softened as softened
from .teachers import soft_targets as soft_targets  # which hides the room of this name
