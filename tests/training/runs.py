"""Training runs of every kind, small and complete, for the tests of checkpoints; also as a program, to be killed.

    python -m tests.training.runs NAME CHECKPOINT DIGEST [SECONDS PER STEP]

resumes the run NAME from CHECKPOINT if that exists, and writes the digest of its end to the file DIGEST.
"""

import functools
import hashlib
import sys
import time
from pathlib import Path

import numpy as np

from minicompress import data, nn, training
from minicompress.engine import Tensor
from minicompress.pruning import GradualPruning, Mask, mask_weights
from minicompress.quantization import WeightClustering
from minicompress.training import optim

EPOCHS, BATCH = 4, 32


class Run:
    """Everything that one run needs, made afresh from seeds."""

    def __init__(self, name, epochs=EPOCHS):
        rng = np.random.default_rng(1)
        digits = data.load("digits", validation=50, rng=rng)
        self.data = data.Split(digits.train.images[:96], digits.train.labels[:96], digits.scale)
        self.validation, self.objective, self.augment = digits.validation, training.supervised, data.Jitter(1)
        self.rng, self.epochs, self.batch_size, self.best_from = np.random.default_rng(2), epochs, BATCH, 0
        self.model = nn.Sequential({
            "input": nn.ImageInput(1, 8, 8), "conv": nn.Conv2d(1, 4, 3, rng=rng), "norm": nn.BatchNorm2d(4),
            "relu": nn.ReLU(), "flat": nn.Flatten(), "fc1": nn.Linear(144, 20, rng=rng),
            "drop": nn.Dropout(0.3, rng=np.random.default_rng(3)), "fc2": nn.Linear(20, 10, rng=rng)})
        getattr(self, name)(epochs)

    def momentum(self, epochs):
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
        self.schedule = optim.CosineAnnealingLR(self.optimizer, epochs)

    def adam(self, epochs):
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.schedule = optim.StepLR(self.optimizer, 2, gamma=0.3)
        self.validation = None

    def nesterov_from_another_generator(self, epochs):
        self.rng = np.random.Generator(np.random.MT19937(5))
        self.model.drop.rng = np.random.Generator(np.random.Philox(6))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        self.schedule = ()

    def gradual_pruning(self, epochs):
        weights = mask_weights(self.model)
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
        self.schedule = [optim.CosineAnnealingLR(self.optimizer, epochs),
                         GradualPruning(weights, final=0.8, begin=0.5, end=0.75 * epochs, every=2)]
        self.best_from = epochs - 1

    def clustering(self, epochs):
        self.momentum(epochs)
        self.fit(epochs=1)
        for p in self.model.parameters():
            mask = np.abs(p.data) > 0.02
            nn.project(p, Mask(mask), WeightClustering(4))
        self.optimizer = optim.Adam(self.model.parameters(), lr=1e-3)
        self.schedule = ()

    def an_objective_with_noise_and_a_regressor(self, epochs):
        noise, self.regressor = np.random.default_rng(7), nn.Linear(10, 10, rng=np.random.default_rng(8))
        self.scale = nn.Parameter([1.0])  # of no module

        def objective(model, batch):
            logits = model(Tensor(batch.x + 0.1 * noise.standard_normal(batch.x.shape, np.float32)))
            return nn.functional.cross_entropy(self.regressor(logits) * self.scale, batch.y)

        self.objective = training.named(objective, noise=noise, regressor=self.regressor)
        self.optimizer = optim.SGD([*self.model.parameters(), *self.regressor.parameters(), self.scale], lr=0.1,
                                   momentum=0.9)
        self.schedule = ()

    def a_teacher_that_learns_by_noise_from_a_partial(self, epochs):
        """Its running statistics, its dropout's generator and the noise are all state, and no optimizer's."""
        self.teacher = nn.Sequential(nn.BatchNorm1d(10), nn.Dropout(0.2, rng=np.random.default_rng(9)))
        self.objective = functools.partial(distil, {"teachers": [self.teacher]}, noise=np.random.default_rng(7))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1)
        self.schedule = ()

    def fit(self, epochs=None, **options):
        return training.fit(self.model, self.data, epochs=epochs or self.epochs, objective=self.objective,
                            optimizer=self.optimizer, schedule=self.schedule, batch_size=self.batch_size,
                            augment=self.augment, validation=self.validation, best_from=self.best_from, rng=self.rng,
                            progress=False, **options)

    def digest(self, history):
        """One hash over every bit that training leaves behind, seconds apart."""
        extra = {name: value for module in ("regressor", "teacher") if hasattr(self, module)
                 for name, value in getattr(self, module).state_dict().items()}
        extra |= {"scale": self.scale.data} if hasattr(self, "scale") else {}
        told = {name: value for name, value in vars(history).items() if name != "seconds"}
        generators = [self.rng, *(g for _, g in self.model.generators())]
        total = hashlib.sha256(repr((told, [str(g.bit_generator.state) for g in generators])).encode())
        for name, value in {**self.model.state_dict(), **self.optimizer.state_dict(), **extra}.items():
            total.update(name.encode() + np.asarray(value).tobytes())
        return total.hexdigest()


def distil(held, model, batch, noise):
    (teacher,), logits = held["teachers"], model(Tensor(batch.x))
    target = teacher(logits.detach() + 0.1 * noise.standard_normal(logits.shape, np.float32)).softmax()
    return nn.functional.cross_entropy(logits, target.detach()) + nn.functional.cross_entropy(logits, batch.y)


NAMES = ["momentum", "adam", "nesterov_from_another_generator", "gradual_pruning", "clustering",
         "an_objective_with_noise_and_a_regressor", "a_teacher_that_learns_by_noise_from_a_partial"]


def main(name, checkpoint, digest, seconds="0", epochs="4"):
    run = Run(name, int(epochs))
    objective = run.objective

    @functools.wraps(objective)
    def slow(model, batch):
        time.sleep(float(seconds))
        return objective(model, batch)

    run.objective = slow
    history = run.fit(checkpoint=checkpoint, resume=True)
    Path(digest).write_text(run.digest(history))


if __name__ == "__main__":
    main(*sys.argv[1:])
