"""The one training loop, and the one way to measure a model."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minicompress.data import Dataset, as_split, batches
from minicompress.engine import Tensor

from . import functional
from .metrics import measures
from .module import evaluating, observe
from .optim import SGD


def cross_entropy(model, batch):
    """The default objective: the mean cross-entropy of the model's logits with the batch's labels."""
    if batch.y is None:
        raise ValueError("these data have no labels, so cross-entropy has no target: give another objective")
    return functional.cross_entropy(model(Tensor(batch.x)), batch.y)


@dataclass
class History:
    """What a run saw, one element an epoch: losses in nats, errors as fractions, None where nothing was measured.

    ``loss`` and ``error`` are means over the epoch's own training batches, augmented and while they changed the
    weights; ``best_epoch`` is the one whose weights the model holds at the end.
    """

    loss: list = field(default_factory=list)
    error: list = field(default_factory=list)
    validation_loss: list = field(default_factory=list)
    validation_error: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    best_epoch: int | None = None
    interrupted: bool = False

    def append(self, **measured):
        for name, value in measured.items():
            getattr(self, name).append(value)


def fit(model, data, *, epochs, objective=cross_entropy, optimizer=None, schedule=(), batch_size=64, augment=None,
        validation=None, best_from=0, checkpoint=None, resume=False, progress=None, rng):
    """Train a model, leave it with its best weights, and return the `History`.

    Args:
        data: a `Dataset` (its train and validation splits are used), or anything that `data.as_split` accepts.
        objective: ``(model, batch) -> loss``, a scalar Tensor.
        optimizer: by default SGD with lr 0.05 and momentum 0.9. It must hold the model's present parameters.
        schedule: a callable, or several, called before each step with ``(step, steps_per_epoch)``, step from 0.
        augment: ``(images, rng) -> images`` for training batches, such as `data.Jitter`.
        validation: a split to choose the best weights by, if ``data`` brings none: least error, then least loss.
            Without any, the last weights stay.
        best_from: the first epoch, counted from 0, whose weights may be the best: later than any change of the model.
        checkpoint: a file that holds the whole state after every epoch, replaced in one step.
        resume: go on from the checkpoint, if it exists; the end has the same bits as without the interruption. A run
            that was complete is not repeated: its end is restored, the generators' states included.
        progress: True or False to show or hide the bar on stderr; by default shown in a terminal.
        rng: orders, augments; the same seed gives the same bits on the same machine.

    Ctrl-C returns what there is, with ``history.interrupted``. Raises FloatingPointError for a loss that is not
    finite; the model then holds the weights of the last good epoch. Raises ValueError for a checkpoint of other
    settings.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}, expected at least 1")
    if isinstance(data, Dataset):
        data, validation = data.train, data.validation if validation is None else validation
    split, validation = as_split(data), None if validation is None else as_split(validation)
    optimizer = optimizer or SGD(model.parameters(), lr=0.05, momentum=0.9)
    run = _Run(model, optimizer, rng, {"epochs": epochs, "batch_size": batch_size, "examples": len(split.images)})
    if resume and checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    history, steps = run.history, -(-len(split.images) // batch_size)
    schedules = [schedule] if callable(schedule) else list(schedule)
    bar = tqdm(total=epochs * steps, initial=len(history.loss) * steps, disable=None if progress is None else
               not progress, unit="step", leave=False)
    good = model.state_dict()
    try:
        for epoch in range(len(history.loss), epochs):
            begin = time.perf_counter()
            loss, error = _epoch(run, batches(split, batch_size, rng=rng, shuffle=True, augment=augment),
                                 objective, schedules, epoch * steps, steps, bar)
            val_loss, val_error = _validate(model, validation, objective) if validation is not None else (None, None)
            history.append(loss=loss, error=error, validation_loss=val_loss, validation_error=val_error,
                           seconds=time.perf_counter() - begin)
            bar.set_postfix_str(f"loss {loss:.4f}" + (f", validation error {val_error:.2%}" if val_error is not None
                                                      else ""))
            good = model.state_dict()
            run.consider(good, best_from)
            if checkpoint is not None:
                run.save(checkpoint)
    except KeyboardInterrupt:
        history.interrupted = True
    except FloatingPointError:
        model.load_state_dict(good)
        raise
    finally:
        bar.close()
    if run.best is not None:
        model.load_state_dict(run.best)
    return history


def _epoch(run, examples, objective, schedules, first_step, steps, bar):
    """Train on each batch once; the mean loss, and the share of wrong answers, or None without labels."""
    model, optimizer, outputs = run.model.train(), run.optimizer, []
    total = wrong = count = labelled = 0

    def note(module, x, y):
        if module is model:
            outputs.append(y.data)

    with observe(note):
        for step, batch in enumerate(examples, first_step):
            for schedule in schedules:
                schedule(step, steps)
            optimizer.zero_grad()
            outputs.clear()
            with np.errstate(all="ignore"):  # what is not finite is reported by the next lines, not by NumPy's warnings
                loss = objective(model, batch)
            value, n = loss.item(), len(batch.indices)
            if not np.isfinite(value):
                raise FloatingPointError(f"the loss is {value} in epoch {first_step // steps}, step "
                                         f"{step - first_step}: a smaller learning rate may help; "
                                         "the model holds the weights of the epoch before")
            loss.backward()
            optimizer.step()
            total, count = total + value * n, count + n
            if batch.y is not None and outputs and outputs[0].shape[0] == n:
                wrong, labelled = wrong + np.sum(outputs[0].argmax(axis=1) != _classes(batch.y)), labelled + n
            bar.update()
    return total / count, float(wrong / labelled) if labelled else None


def _classes(labels):
    return labels if labels.ndim == 1 else labels.argmax(axis=1)


def predict(model, data, batch_size=256):
    """The logits, float32 (N, classes), of a model in evaluation.

    BLAS adds in another order for another batch size: for the same bits ask for the same one.

    >>> from minicompress import models
    >>> predict(models.mlp([4, 3], rng=np.random.default_rng(0)), np.zeros((5, 4), np.float32)).shape
    (5, 3)
    """
    with evaluating(model):
        return np.concatenate([model(Tensor(batch.x)).data for batch in batches(data, batch_size)])


def evaluate(model, data, batch_size=256):
    """The `Measures` (ME-1) of a model on labelled data; of a `Dataset`, on its test split.

    Raises ValueError for data without labels.

    >>> from minicompress import models
    >>> x, y = np.zeros((5, 4), np.float32), np.arange(5) % 3
    >>> evaluate(models.mlp([4, 3], rng=np.random.default_rng(0)), (x, y)).confusion.shape
    (3, 3)
    """
    split = as_split(data.test if isinstance(data, Dataset) else data)
    if split.labels is None:
        raise ValueError("these data have no labels to compare with")
    logits = predict(model, split, batch_size)
    return measures(logits.argmax(axis=1), _classes(split.labels), logits.shape[1])


def _validate(model, split, objective, batch_size=256):
    """Cross-entropy and error on a validation split."""
    logits = predict(model, split, batch_size)
    with np.errstate(all="ignore"):
        loss = functional.cross_entropy(Tensor(logits), split.labels).item()
    return loss, float(np.mean(logits.argmax(axis=1) != _classes(split.labels)))


class _Run:
    """All that changes during a run, and so all that a checkpoint holds."""

    def __init__(self, model, optimizer, rng, settings):
        self.model, self.optimizer, self.settings = model, optimizer, settings
        self.generators = {"fit": rng, **dict(model.generators())}
        self.history, self.best = History(), None

    def consider(self, state, best_from):
        """Keep these weights if the last epoch was the best so far."""
        h = self.history
        if h.validation_error and h.validation_error[-1] is not None and len(h.loss) > best_from:
            rank = [(h.validation_error[i], h.validation_loss[i]) for i in (h.best_epoch, -1) if i is not None]
            if rank[-1] <= rank[0]:
                h.best_epoch, self.best = len(h.loss) - 1, state

    def save(self, path):
        arrays = {f"{part}/{name}": value for part, state in
                  (("model", self.model.state_dict()), ("optimizer", self.optimizer.state_dict()),
                   ("best", self.best or {})) for name, value in state.items()}
        notes = {"settings": self.settings, "history": asdict(self.history),
                 "generators": {name: g.bit_generator.state for name, g in self.generators.items()}}
        arrays["notes"] = np.frombuffer(json.dumps(notes, default=_plain).encode(), np.uint8)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def restore(self, path):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        notes = json.loads(arrays.pop("notes").tobytes())
        parts = {"model": {}, "optimizer": {}, "best": {}}
        for name, array in arrays.items():
            part, _, key = name.partition("/")
            parts[part][key] = array
        if notes["settings"] != self.settings or notes["generators"].keys() != self.generators.keys():
            raise ValueError(f"{path} is the checkpoint of a run with {notes['settings']}, not {self.settings}")
        self.model.load_state_dict(parts["model"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.best, self.history = parts["best"] or None, History(**notes["history"])
        for name, generator in self.generators.items():
            generator.bit_generator.state = notes["generators"][name]


def _plain(value):
    """Arrays inside a bit generator's state, for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
