"""Neural-network compression from scratch in NumPy: read it to understand it."""

from . import binarization as binarization
from . import clustering as clustering
from . import coding as coding
from . import data as data
from . import distillation as distillation
from . import models as models
from . import nn as nn
from . import pruning as pruning
from . import quantization as quantization
from . import training as training
from .checker import check as check
from .container import ContainerError as ContainerError
from .container import inspect as inspect
from .container import load as load
from .container import save as save
from .engine import Tensor as Tensor
from .engine import no_grad as no_grad
from .training import evaluate as evaluate
from .training import fit as fit
from .training import optim as optim
from .training import predict as predict

__version__ = "0.1.0"
