"""How long networks take for an image, measured in turn."""

import statistics
import time

from minicompress import data, nn
from minicompress.engine import Tensor


def seconds_per_image(networks, split, batch_size, *, repeats=15):
    """Median seconds that each network of {name: model} takes for one image in batches of a size, {name: seconds}.

    They take turns, on the same first images of a split, which are ready as floats; threads as BLAS has them.
    """
    x = Tensor(next(iter(data.batches(split, batch_size))).x)
    times = {name: [] for name in networks}
    calls = max(1, 64 // batch_size)  # a single call of a small network is too short for the clock
    for _ in range(repeats + 1):
        for name, model in networks.items():
            with nn.evaluating(model):
                begin = time.perf_counter()
                for _ in range(calls):
                    model(x)
                times[name].append((time.perf_counter() - begin) / calls / len(x.data))
    return {name: statistics.median(log[1:]) for name, log in times.items()}  # the first turn warms up
