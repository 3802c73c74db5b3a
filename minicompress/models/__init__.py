"""Networks of the literature, ready to train."""

from .lenet import lenet_5, lenet_300_100, mlp
from .names import NAMES, build, mlp_sizes, name_of

__all__ = ["NAMES", "build", "lenet_5", "lenet_300_100", "mlp", "mlp_sizes", "name_of"]
