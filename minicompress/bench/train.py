"""One training step beside PyTorch's CPU build: the same network, batch, loss and update rule, in turn.

Each side has a process of its own: BLAS reads the number of threads when it is loaded, and the idle threads of one
side would slow the other.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np

from minicompress import data, models, training
from minicompress.claims import Claim, Quantity, milliseconds, precise_times
from minicompress.columns import table
from minicompress.data import Batch
from minicompress.training import optim

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


BLOCK, PAUSE = 20, 0.1  # steps in turn, and seconds between turns: idle BLAS threads spin for a while, then sleep


def run(*, seed=0, steps=400, threads=(1, 2)):
    """Seconds a step, median and quartiles, of ours and of PyTorch's eager mode, and their ratio, per thread count.

    Both take SGD steps with momentum 0.9 on the same batches of 64, in two processes that take turns of 20 steps; the
    first turn of each warms up and is not counted. ``inputs`` says which batches: MNIST images, or noise without any
    feature that is 0 in a whole batch, which ours would leave out. Raises ModuleNotFoundError, naming the extra, if
    PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise ModuleNotFoundError("the training benchmark compares with PyTorch: pip install minicompress[bench]")
    cases = [(network, inputs, count) for count in threads for network, inputs in
             (("lenet-300-100", "mnist"), ("lenet-300-100", "noise"), ("lenet-5", "mnist"))]
    return {"benchmark": "train", "seed": seed, "batch_size": 64, "steps": steps,
            "results": [_compare(network, inputs, count, seed, steps) for network, inputs, count in cases]}


def _compare(network, inputs, threads, seed, steps):
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    sides = [subprocess.Popen([sys.executable, "-m", "minicompress.bench.train", side, network, inputs, str(threads),
                               str(seed)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
             for side in ("ours", "pytorch")]
    turns = ([], [])
    for _ in range(steps // BLOCK + 1):
        for side, log in zip(sides, turns, strict=True):
            time.sleep(PAUSE)
            side.stdin.write("go\n")
            side.stdin.flush()
            log.append(json.loads(side.stdout.readline()))
    for side in sides:
        side.stdin.close()
        side.wait()
    losses = [[loss for turn in log for loss in turn["losses"]] for log in turns]
    seconds = [statistics.quantiles([s for turn in log[1:] for s in turn["seconds"]], n=4) for log in turns]
    return {"network": network, "inputs": inputs, "threads": threads, "ours_seconds": seconds[0][1],
            "ours_quartiles": seconds[0][::2], "peer": turns[1][0]["version"], "peer_seconds": seconds[1][1],
            "peer_quartiles": seconds[1][::2], "ratio": seconds[1][1] / seconds[0][1],
            "largest_loss_difference": max(abs(a - b) for a, b in zip(*losses, strict=True))}


def _ours(network, batches, rng):
    model = models.lenet_5(rng=rng) if network == "lenet-5" else models.lenet_300_100(rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    start = model.state_dict()

    def step(i):
        optimizer.zero_grad()
        loss = training.supervised(model, Batch(*batches[i % len(batches)], None))
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


def _batches(inputs, rng):
    if inputs == "noise":
        return [(rng.random((64, 1, 28, 28), np.float32), rng.integers(0, 10, 64)) for _ in range(32)]
    examples = data.batches(data.load("mnist").train, 64, rng=rng, shuffle=True)
    return [(batch.x, batch.y) for batch, _ in zip(examples, range(32), strict=False)]


def _take_turns(side, network, inputs, threads, seed):
    """Make a turn of steps for every line on standard input, and answer with their seconds and losses."""
    rng = np.random.default_rng(int(seed))
    batches = _batches(inputs, rng)
    step, start = _ours(network, batches, rng)
    version = "minicompress"
    if side == "pytorch":
        import torch
        torch.set_num_threads(int(threads))
        step, version = _pytorch(network, batches, start), f"PyTorch {torch.__version__}"
    for turn, _ in enumerate(sys.stdin):
        seconds, losses = [], []
        for i in range(turn * BLOCK, (turn + 1) * BLOCK):
            begin = time.perf_counter()
            losses.append(step(i))
            seconds.append(time.perf_counter() - begin)
        print(json.dumps({"seconds": seconds, "losses": losses, "version": version}), flush=True)


def measured(report):
    """{network, inputs and threads in words: ratio}."""
    return {_words(r["network"], r["inputs"], r["threads"]): r["ratio"] for r in report["results"]}


def _words(network, inputs, threads):
    return f"{network}{' on noise' * (inputs == 'noise')} on {threads} thread{'s' * (threads > 1)}"


def shown(report):
    """Both sides of every case, in a table."""
    rows = [[f"{r['network']}, {r['inputs']}", r["peer"], str(r["threads"]), milliseconds(r["ours_seconds"]),
             milliseconds(r["peer_seconds"]), precise_times(r["ratio"])] for r in report["results"]]
    return table([f"a step, batch {report['batch_size']}", "peer", "threads", "ours, ms", "peer, ms", "ratio"], rows, 2)


_BARS = {("lenet-300-100", "mnist", 1): 1.5, ("lenet-300-100", "mnist", 2): 1.5, ("lenet-300-100", "noise", 1): None,
         ("lenet-300-100", "noise", 2): None, ("lenet-5", "mnist", 1): 1.0, ("lenet-5", "mnist", 2): 0.9}
CLAIMS = {"train": Claim(lambda lab: run(seed=lab.seed), tuple(
    Quantity(_words(*case), precise_times, f"training step beside PyTorch's, batch 64: {_words(*case)}", at_least=bar)
    for case, bar in _BARS.items()), measured, shown)}


if __name__ == "__main__":
    _take_turns(*sys.argv[1:])
