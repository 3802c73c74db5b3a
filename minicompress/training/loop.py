"""The one training loop, and the one way to measure a model."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minicompress import expect
from minicompress.data import Dataset, Jitter, as_split, batches
from minicompress.engine import Tensor
from minicompress.nn import Module, evaluating, functional, observe

from .checkpoint import Run, digest
from .metrics import measures
from .optim import SGD, Adam, Optimizer
from .schedules import CosineAnnealingLR, LinearLR


@dataclass(frozen=True)
class Training:
    """How a network is trained, as plain numbers: `fit` takes one in place of an optimizer, schedules and the rest.

    epochs, batch_size : whole numbers
    lr : the learning rate at which a cosine to 0 begins, behind a rise from 0 over ``warm_up`` epochs if there are any
    weight_decay, momentum : those of SGD; ``adam`` takes Adam instead, which has no momentum
    jitter : by how many pixels training images are shifted at most

    >>> Training(epochs=3, lr=0.1, jitter=1).augment()
    Jitter(pixels=1)
    """

    epochs: int
    lr: float = 0.05
    batch_size: int = 64
    weight_decay: float = 0.0
    momentum: float = 0.9
    adam: bool = False
    warm_up: float = 0.0
    jitter: int = 0

    def optimizer(self, model):
        """A new optimizer of the model's present parameters."""
        if self.adam:
            return Adam(model.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return SGD(model.parameters(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def schedule(self, optimizer):
        """What sets the optimizer's learning rate before each step."""
        warm_up = [LinearLR(optimizer, 0.0, self.warm_up)] if self.warm_up else []
        return [CosineAnnealingLR(optimizer, self.epochs), *warm_up]

    def augment(self):
        """What is done to training images, None for nothing."""
        return Jitter(self.jitter) if self.jitter else None


def supervised(model, batch):
    """The default objective: the mean cross-entropy of the model's logits with the batch's labels.

    Raises ValueError for a batch without labels.

    >>> from minicompress import models
    >>> batch, = batches((np.zeros((3, 4), np.float32), np.arange(3)), 3)
    >>> supervised(models.mlp([4, 3], rng=np.random.default_rng(0)), batch).shape
    ()
    """
    expect.that(batch.y is not None, "these data have no labels, so nothing to be right about: give another objective")
    return functional.cross_entropy(model(Tensor(batch.x)), batch.y)


def fit(model, data, training=None, *, epochs=None, objective=supervised, optimizer=None, schedule=(),
        batch_size=64, augment=None, validation=None, best_from=0, checkpoint=None, resume=False, progress=None, rng):
    """Train a model, leave it with its best weights, and return the `History`.

    Args:
        data: a `Dataset` (its train and validation splits are used), or anything that `data.as_split` accepts.
        training: a `Training`, which says epochs, batch size, optimizer and augmentation, and adds its schedule before
            those given; or these one by one.
        objective: ``(model, batch) -> loss``, a scalar Tensor. The history's error counts the answers of its first call
            of the model.
        optimizer: by default SGD with lr 0.05 and momentum 0.9. It must hold the model's present parameters.
        schedule: a callable, or several, called before each step with ``(step, steps_per_epoch)``, step from 0. What
            it does must follow from these two: of its own state only generators and modules are in a checkpoint.
        augment: ``(images, rng) -> images`` for training batches, such as `data.Jitter`.
        validation: a split to choose the best weights by, if ``data`` brings none: least error, then least loss.
            Without any, the last weights stay.
        best_from: the first epoch, counted from 0, whose weights may be the best: later than any change of the model.
        checkpoint: a file that holds the whole state after every epoch, replaced in one step.
        resume: go on from the checkpoint, if it exists; the end has the same bits as without the interruption (the
            history's seconds apart). A run that was complete is not repeated: its end is restored, the states of all
            generators included: fit's, the model's, and those that objective, schedules and augment name (`named`),
            with the modules there, such as a teacher. What they hold without a name is refused. ``rng`` and the model
            must be as they were at the beginning or, with the same objects, as the earlier call left them. Another
            objective, augment or schedule is told by its name and settings: numbers, strings and tuples among what it
            names, or in its arguments, closures and public attributes, which must not change during the run.
        progress: True or False to show or hide the bar on stderr; by default shown in a terminal.
        rng: orders, augments; the same seed gives the same bits on the same machine.

    Ctrl-C returns what there is, with ``history.interrupted``. Raises FloatingPointError for a loss or a weight that is
    not finite; model and optimizer are then back at the start of the last epoch whose first loss was finite. Raises
    ValueError for a checkpoint of other settings, data, weights or generators, and TypeError or ValueError for anything
    else that does not fit, such as an optimizer that holds nothing that trains.

    >>> from minicompress import models
    >>> x, y = np.eye(3, dtype=np.float32), np.arange(3)
    >>> model = models.mlp([3, 3], rng=np.random.default_rng(0))
    >>> history = fit(model, (x, y), epochs=5, progress=False, rng=np.random.default_rng(0))
    >>> history.loss[-1] < history.loss[0]
    True
    """
    if isinstance(data, Dataset):
        data, validation = data.train, data.validation if validation is None else validation
    split, validation = as_split(data), None if validation is None else as_split(validation)
    schedules = list(schedule or ()) if isinstance(schedule, list | tuple | None) else [schedule]
    if training is not None:
        expect.that(isinstance(training, Training) and (epochs, optimizer, augment) == (None, None, None),
                    f"training is {training!r}, expected a Training, without epochs, optimizer or augment", TypeError)
        epochs, batch_size, augment = training.epochs, training.batch_size, training.augment()
        optimizer = training.optimizer(model)
        schedules = [*training.schedule(optimizer), *schedules]
    if optimizer is None and isinstance(model, Module):
        optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    expect.a(Module, "model", model)
    epochs, batch_size = expect.integer("epochs", epochs, 1), expect.integer("batch_size", batch_size, 1)
    best_from = expect.integer("best_from", best_from, 0, epochs - 1)
    for what, function in ("objective", objective), ("augment", augment or supervised), *(
            ("schedule", schedule) for schedule in schedules):
        expect.function(what, function)
    _check_optimizer(model, optimizer, schedules)
    expect.generator(rng)
    expect.that(validation is None or validation.labels is not None,
                "the validation split has no labels, so no best weights can be chosen by it")
    if checkpoint is None:
        run = Run(model, optimizer, rng)
    else:
        settings = {"epochs": epochs, "batch_size": batch_size, "best_from": best_from} | _described(split, validation)
        named = {f"schedule {i}": schedule for i, schedule in enumerate(schedules)}
        run = Run(model, optimizer, rng, settings, {"objective": objective, "augment": augment} | named)
    if resume and checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    elif checkpoint is not None:
        run.save(checkpoint)  # what an earlier run left there is not this one's beginning
    history, steps = run.history, -(-len(split.images) // batch_size)
    bar = tqdm(total=epochs * steps, initial=len(history.loss) * steps, disable=None if progress is None else
               not progress, leave=False, dynamic_ncols=True,
               bar_format="{percentage:3.0f}% |{bar}| {elapsed} < {remaining}{postfix}")
    try:
        for epoch in range(len(history.loss), epochs):
            begin = time.perf_counter()
            loss, error = _epoch(run, batches(split, batch_size, rng=rng, shuffle=True, augment=augment),
                                 objective, schedules, epoch * steps, steps, bar)
            val_loss, val_error = _validate(model, validation) if validation is not None else (None, None)
            history.append(loss=loss, error=error, validation_loss=val_loss, validation_error=val_error,
                           seconds=time.perf_counter() - begin)
            bar.set_postfix_str(f"loss {loss:.4f}" + (f", validation error {val_error:.2%}" if val_error is not None
                                                      else ""))
            run.consider(best_from)
            if checkpoint is not None:
                run.save(checkpoint)
    except KeyboardInterrupt:
        history.interrupted = True
    except FloatingPointError:
        run.load(run.good)
        raise
    finally:
        bar.close()
        if checkpoint is not None:
            rng.bit_generator.state = run.drawn  # where resuming begins
    if run.best is not None:
        model.load_state_dict(run.best)
    return history


def _check_optimizer(model, optimizer, schedules):
    """An optimizer that changes this model, through which a gradient passes, and that the schedules change."""
    expect.a(Optimizer, "optimizer", optimizer)
    expect.that(set(model.parameters()) & set(optimizer.parameters),
                "the optimizer holds none of the model's parameters: build it after the model's last change")
    still = next((f"{name}, a {type(module).__name__}," for name, module in model.named_modules()
                  if not getattr(type(module), "trains", True)), None)  # a child may have that name
    expect.that(still is None, f"{still} passes no gradient: train the network that it was made of", TypeError)
    for schedule in schedules:
        expect.that(getattr(schedule, "optimizer", optimizer) is optimizer,
                    f"{type(schedule).__name__} changes another optimizer than the one that trains")


def _described(split, validation):
    """What tells the data of one run from those of another."""
    return {f"{name} of {what}": value for what, part in (("training", split), ("validation", validation))
            if part is not None for name, value in (("number", len(part.images)), ("images", digest(part.images)),
                                                    ("labels", digest(part.labels)))}


def _epoch(run, examples, objective, schedules, first_step, steps, bar):
    """Train on each batch once; the mean loss, and the share of wrong answers, or None without labels."""
    model, optimizer, outputs, before = run.model.train(), run.optimizer, [], run.state()
    total = wrong = count = labelled = 0

    def note(module, x, y):
        if module is model and isinstance(y, Tensor):
            outputs.append(y.data)

    with observe(note), np.errstate(all="ignore"):  # what is not finite is reported below, not by NumPy's warnings
        for step, batch in enumerate(examples, first_step):
            for schedule in schedules:
                schedule(step, steps)
            optimizer.zero_grad()
            outputs.clear()
            loss = objective(model, batch)
            expect.a(Tensor, "what the objective gave", loss, "a Tensor of one element")
            value, n = loss.item(), len(batch.indices)
            _require_finite(value, f"loss in epoch {first_step // steps}, step {step - first_step},")
            if step == first_step:
                run.good = before
            loss.backward()
            if step == first_step:
                lost = _without_gradient(model, optimizer)
                expect.that(lost is None, f"{lost}: build it after the model's last change")
            optimizer.step()
            total, count = total + value * n, count + n
            if batch.y is not None and outputs and outputs[0].ndim == 2 and len(outputs[0]) == n:
                wrong, labelled = wrong + np.sum(outputs[0].argmax(axis=1) != _classes(batch.y)), labelled + n
            bar.update()
    for name, parameter in model.named_parameters():
        _require_finite(parameter.data, f"{name} after epoch {first_step // steps}")
    return total / count, float(wrong / labelled) if labelled else None


def _without_gradient(model, optimizer):
    """In words, what an optimizer built before `project` holds that no longer trains, or lacks that does; or None."""
    held = set(map(id, optimizer.parameters))
    if all(p.grad is None for p in optimizer.parameters):
        return "none of the optimizer's parameters has a gradient"
    for name, parameter in model.named_latents():
        for projection in parameter.projections if id(parameter) in held and parameter.grad is None else ():
            for key, state in projection.state():
                if getattr(state, "grad", None) is not None and id(state) not in held:
                    return (f"the optimizer holds {name}, which {type(projection).__name__} made constant, and lacks "
                            f"its {key}")
    return None


def _require_finite(value, what):
    bad = np.ravel(value)[~np.isfinite(np.ravel(value))]
    expect.that(not bad.size, lambda: f"the {what} is not finite ({bad[0]}): a smaller learning rate may help; the "
                "model is back at its last good state", FloatingPointError)


def _classes(labels):
    return labels if labels.ndim == 1 else labels.argmax(axis=1)


def predict(model, data, batch_size=256):
    """The logits, (N, classes), of a model in evaluation: float32, or float64 if its first parameter is.

    BLAS adds in another order for another batch size: for the same bits ask for the same one.

    >>> from minicompress import models
    >>> predict(models.mlp([4, 3], rng=np.random.default_rng(0)), np.zeros((5, 4), np.float32)).shape
    (5, 3)
    """
    expect.a(Module, "model", model)
    dtype = next((p.dtype for _, p in model.named_latents()), np.float32)
    with evaluating(model):
        return np.concatenate([model(Tensor(batch.x.astype(dtype, copy=False))).data
                               for batch in batches(data, batch_size)])


def evaluate(model, data, batch_size=256):
    """The `Measures` (ME-1) of a model on labelled data; of a `Dataset`, on its test split.

    Raises ValueError for data without labels.

    >>> from minicompress import models
    >>> x, y = np.zeros((5, 4), np.float32), np.arange(5) % 3
    >>> evaluate(models.mlp([4, 3], rng=np.random.default_rng(0)), (x, y)).confusion.shape
    (3, 3)
    """
    split = as_split(data.test if isinstance(data, Dataset) else data)
    expect.that(split.labels is not None, "these data have no labels to compare with")
    logits = predict(model, split, batch_size)
    return measures(logits.argmax(axis=1), _classes(split.labels), logits.shape[1])


def _validate(model, split, batch_size=256):
    """Cross-entropy and error on a validation split."""
    with np.errstate(all="ignore"):
        logits = predict(model, split, batch_size)
        loss = functional.cross_entropy(Tensor(logits), split.labels).item()
    _require_finite(loss, "validation loss")
    return loss, float(np.mean(logits.argmax(axis=1) != _classes(split.labels)))
