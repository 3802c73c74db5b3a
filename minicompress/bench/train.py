"""One training step beside PyTorch's CPU build: the same network, batch, loss and update rule, step by step in turn.

Each thread count needs a fresh process, since BLAS reads it when it is loaded.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

NETWORKS = ("lenet-300-100", "lenet-5")
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def run(*, seed=0, steps=300, threads=(1, 2)):
    """Seconds a step, median and quartiles, of ours and of PyTorch's eager mode, and their ratio, per thread count.

    Both take SGD steps with momentum 0.9 on the same batches of 64 MNIST images, alternating step by step; the first
    tenth warms up and is not counted. Raises ModuleNotFoundError, naming the extra, if PyTorch is not installed.
    """
    from importlib.util import find_spec
    if find_spec("torch") is None:
        raise ModuleNotFoundError("the training benchmark compares with PyTorch: pip install minicompress[bench]")
    results = []
    for count in threads:
        for network in NETWORKS:
            environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(count))
            command = [sys.executable, "-m", "minicompress.bench.train", network, str(count), str(seed), str(steps)]
            finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            results.append(json.loads(finished.stdout))
    return {"benchmark": "train", "seed": seed, "batch_size": 64, "steps": steps, "results": results}


def _ours(network, batches, rng):
    from minicompress import models, nn
    from minicompress.data import Batch
    from minicompress.nn import optim
    model = models.lenet_5(rng=rng) if network == "lenet-5" else models.lenet_300_100(rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    start = model.state_dict()

    def step(i):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model, Batch(*batches[i % len(batches)], None))
        loss.backward()
        optimizer.step()
        return loss.item()
    return step, start


def _pytorch(network, batches, start):
    import torch
    from torch import nn
    body = [nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)]
    if network == "lenet-5":
        body = [nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
                nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)]
    model = nn.Sequential(*body)
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), start.values(), strict=True):
            parameter.copy_(torch.from_numpy(array))
    optimizer, objective = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()
    tensors = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches]

    def step(i):
        x, y = tensors[i % len(tensors)]
        optimizer.zero_grad()
        loss = objective(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def _measure(network, threads, seed, steps):
    import torch

    from minicompress import data
    torch.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    examples = data.batches(data.load("mnist").train, 64, rng=rng, shuffle=True)
    batches = [(batch.x, batch.y) for batch, _ in zip(examples, range(32), strict=False)]
    ours, start = _ours(network, batches, rng)
    theirs = _pytorch(network, batches, start)
    seconds, losses = ([], []), ([], [])
    for i in range(steps + steps // 10):
        for side, step in enumerate((ours, theirs)):
            begin = time.perf_counter()
            losses[side].append(step(i))
            seconds[side].append(time.perf_counter() - begin)
    counted = [side[steps // 10:] for side in seconds]
    (low, median, high), (peer_low, peer_median, peer_high) = (statistics.quantiles(side, n=4) for side in counted)
    return {"network": network, "threads": threads, "ours_seconds": median, "ours_quartiles": [low, high],
            "peer": f"PyTorch {torch.__version__}", "peer_seconds": peer_median,
            "peer_quartiles": [peer_low, peer_high], "ratio": peer_median / median,
            "largest_loss_difference": max(abs(a - b) for a, b in zip(*losses, strict=True))}


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    print(json.dumps(_measure(name, *map(int, numbers))))
