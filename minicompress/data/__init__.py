"""Data: IDX files in, checked splits and mini-batches out. NumPy and the standard library only.

>>> import numpy as np
>>> dataset = load("digits")
>>> images, labels = dataset.train
>>> for batch in batches(dataset.train, 64, rng=np.random.default_rng(0), shuffle=True, augment=Jitter(1)):
...     pass  # batch.x (64, 1, 8, 8) float32, batch.y (64,), batch.indices (64,)
"""

from .augment import Jitter
from .batches import Batch, batches
from .dataset import NAMES, Dataset, load
from .idx import DataError, read_idx, write_idx
from .split import Split, as_split

__all__ = ["NAMES", "Batch", "DataError", "Dataset", "Jitter", "Split", "as_split", "batches", "load", "read_idx",
           "write_idx"]
