"""A run that is killed at any moment and resumed ends with the same bits as one that never was."""

import functools
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minicompress import data, nn, training
from minicompress.distillation import Match, Matching
from minicompress.training import checkpoint, optim
from tests.mutants import mutate

from .runs import BATCH, EPOCHS, NAMES, Run

STEPS = EPOCHS * 96 // BATCH
every_run = pytest.mark.parametrize("name", NAMES)


class Killed(BaseException):
    """Nobody catches it: what was in memory is gone."""


def raising(call, at, error, last_words=None):
    """``call``, except that its ``at``-th call (from 0) raises, after ``last_words``."""
    counter = iter(range(10**9))

    @functools.wraps(call)
    def wrapped(*args, **kwargs):
        if next(counter) == at:
            if last_words is not None:
                last_words(*args, **kwargs)
            raise error
        return call(*args, **kwargs)
    return wrapped


@functools.cache
def uninterrupted(name):
    run = Run(name)
    return run.digest(run.fit())


@every_run
def test_the_same_seed_gives_the_same_bits_and_a_checkpoint_changes_none(name, tmp_path):
    run = Run(name)
    assert run.digest(run.fit(checkpoint=tmp_path / "run")) == uninterrupted(name)


def killed_in_a_step(name, step, checkpoint):
    killed = Run(name)
    killed.objective = raising(killed.objective, step, Killed)
    with pytest.raises(Killed):
        killed.fit(checkpoint=checkpoint)
    resumed = Run(name)
    assert resumed.digest(resumed.fit(checkpoint=checkpoint, resume=True)) == uninterrupted(name)


SAVEZ = np.savez


def torn(file, **arrays):
    """Write the beginning of what np.savez writes."""
    content = io.BytesIO()
    SAVEZ(content, **arrays)
    file.write(content.getvalue()[:1000])


def killed_while_a_checkpoint_is_written(save, module, name, checkpoint, monkeypatch):
    killed = Run("momentum")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, name, raising(getattr(module, name), save, Killed, torn if name == "savez" else None))
        killed.fit(checkpoint=checkpoint)
    resumed = Run("momentum")
    assert resumed.digest(resumed.fit(checkpoint=checkpoint, resume=True)) == uninterrupted("momentum")
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.slow
@every_run
@pytest.mark.parametrize("step", range(0, STEPS, 2))
def test_killed_in_a_step(name, step, tmp_path):
    killed_in_a_step(name, step, tmp_path / "run")


@pytest.mark.parametrize(("module", "name"), [(np, "savez"), (os, "fsync"), (os, "replace")],
                         ids=["savez", "fsync", "replace"])
@pytest.mark.parametrize("save", range(EPOCHS + 1))
def test_killed_while_a_checkpoint_is_written(save, module, name, tmp_path, monkeypatch):
    killed_while_a_checkpoint_is_written(save, module, name, tmp_path / "run", monkeypatch)


@every_run
@pytest.mark.parametrize("step", [1, STEPS - 1])
def test_interrupted_and_resumed_with_the_very_same_objects(name, step, tmp_path):
    run = Run(name)
    objective, run.objective = run.objective, raising(run.objective, step, KeyboardInterrupt)
    history = run.fit(checkpoint=tmp_path / "run")
    assert history.interrupted and len(history.loss) == step // (STEPS // EPOCHS)
    run.objective = objective
    history = run.fit(checkpoint=tmp_path / "run", resume=True)
    assert not history.interrupted and run.digest(history) == uninterrupted(name)


@every_run
def test_a_run_that_was_complete_is_not_repeated(name, tmp_path):
    run = Run(name)
    run.fit(checkpoint=tmp_path / "run")
    again = Run(name)
    again.objective = raising(again.objective, 0, AssertionError("trained again"))
    assert again.digest(again.fit(checkpoint=tmp_path / "run", resume=True)) == uninterrupted(name)


def test_killed_many_times(tmp_path):
    rounds = 0
    while True:
        run, rounds = Run("gradual_pruning"), rounds + 1
        run.objective = raising(run.objective, 4, Killed)  # one epoch and a bit
        try:
            history = run.fit(checkpoint=tmp_path / "run", resume=True)
            break
        except Killed:
            continue
    assert rounds == EPOCHS and run.digest(history) == uninterrupted("gradual_pruning")


def test_without_resume_a_run_starts_afresh_also_when_killed_in_its_first_epoch(tmp_path):
    """What an earlier run left in the file must not be taken for this one's."""
    earlier = Run("momentum")
    earlier.rng = np.random.default_rng(99)
    earlier.fit(checkpoint=tmp_path / "run")
    killed = Run("momentum")
    killed.objective = raising(killed.objective, 1, Killed)
    with pytest.raises(Killed):
        killed.fit(checkpoint=tmp_path / "run")
    resumed = Run("momentum")
    assert resumed.digest(resumed.fit(checkpoint=tmp_path / "run", resume=True)) == uninterrupted("momentum")


def test_resume_without_a_checkpoint_is_a_beginning(tmp_path):
    run = Run("momentum")
    assert run.digest(run.fit(checkpoint=tmp_path / "deep" / "down" / "run", resume=True)) == uninterrupted("momentum")


def changed(**attributes):
    run = Run("momentum")
    for name, value in attributes.items():
        setattr(run, name, value)
    return run


def other_optimizer():
    run = Run("momentum")
    run.optimizer = optim.Adam(run.model.parameters())
    return changed(optimizer=run.optimizer, model=run.model, schedule=())


def other_model():
    run = Run("momentum")
    rng = np.random.default_rng(0)
    run.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20, rng=rng), nn.BatchNorm1d(20), nn.Linear(20, 20, rng=rng),
                              nn.Linear(20, 10, rng=rng), nn.Dropout(0.5, rng=rng))
    run.optimizer = optim.SGD(run.model.parameters(), lr=0.1, momentum=0.9)
    run.schedule = ()
    return run


@pytest.mark.parametrize(("make", "message"), [
    (lambda: changed(epochs=5), "epochs is 4, not 5"), (lambda: changed(batch_size=16), "batch_size is 32, not 16"),
    (other_optimizer, "optimizer is 'SGD', not 'Adam'"), (other_model, "checkpoint of"),
])
def test_the_checkpoint_of_another_run_is_refused(make, message, tmp_path):
    Run("momentum").fit(checkpoint=tmp_path / "run")
    run = make()
    with pytest.raises(ValueError, match=message):
        run.fit(checkpoint=tmp_path / "run", resume=True)


def options(make):
    return lambda: (lambda run: changed(optimizer=make(run.model.parameters()), model=run.model, schedule=()))(
        Run("momentum"))


def relabelled():
    run = Run("momentum")
    return changed(data=data.Split(run.data.images, run.data.labels[::-1].copy(), run.data.scale))


def brighter():
    run = Run("momentum")
    return changed(data=data.Split(run.data.images // 2, run.data.labels, run.data.scale))


@pytest.mark.parametrize(("make", "message"), [
    (options(lambda ps: optim.SGD(ps, lr=0.2, momentum=0.9, weight_decay=1e-3)), "initial_lr is 0.1, not 0.2"),
    (options(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.8, weight_decay=1e-3)), "momentum is 0.9, not 0.8"),
    (options(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9)), r"weight_decay is 0.001, not 0\.0"),
    (options(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True)), "nesterov is False"),
    (relabelled, "labels of training is"), (brighter, "images of training is"),
    (lambda: changed(best_from=1), "best_from is 0, not 1"), (lambda: changed(validation=None), "of validation is"),
    (lambda: changed(rng=np.random.default_rng(3)), "beginning of rng is"),
    (lambda: changed(rng=np.random.Generator(np.random.MT19937(2))), "beginning of rng is"),
    (lambda: changed(augment=functools.partial(noisy, np.random.default_rng(1))), r"generators is \['drop"),
])
def test_the_checkpoint_of_a_run_that_differs_in_one_thing_is_refused_by_its_name(make, message, tmp_path):
    Run("momentum").fit(checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match=f"of another run: its .*{message}"):
        make().fit(checkpoint=tmp_path / "run", resume=True)


def noisy(noise, images, rng):
    return images + noise.random(images.shape, np.float32)


class Noise:
    """An augmentation with a setting, a part of its own, and things that change while it is used."""

    def __init__(self, sigma, then=None):
        self.sigma, self.then, self.seen, self._calls = sigma, then, [], 0

    def __call__(self, images, rng):
        self.seen.append(len(images))
        self._calls += 1
        return images

    def add(self, images, rng, least=0):
        return images


def weighted(weight, model, batch):
    return training.supervised(model, batch) * weight


def penalised(weight):
    return lambda model, batch: training.supervised(model, batch) * weight


def defaulted(weight):
    def objective(model, batch, weight=weight, *, more=weight):
        return training.supervised(model, batch) * weight
    return objective


def rising(step, steps_per_epoch, weight):
    pass


class Holding:
    """It names a teacher, and has a setting besides."""

    def __init__(self, sigma):
        self.sigma, self.teacher = sigma, nn.ReLU()

    def holds(self):
        return {"teacher": self.teacher}

    def __call__(self, images, rng):
        return images


MADE = {
    "a closure that is named": lambda n: {"objective": training.named(penalised(n), noise=np.random.default_rng(0))},
    "an attribute beside holds": lambda n: {"augment": Holding(n)},
    "Jitter": lambda n: {"augment": data.Jitter(n)}, "an attribute": lambda n: {"augment": Noise(n)},
    "a string": lambda n: {"augment": Noise(str(n))}, "a tuple": lambda n: {"augment": Noise((0.5, (n,)))},
    "a callable's part": lambda n: {"augment": Noise(0.5, Noise(n))}, "a method": lambda n: {"augment": Noise(n).add},
    "a NumPy number": lambda n: {"augment": Noise(np.float32(n))}, "a dict": lambda n: {"augment": Noise({"a": n})},
    "another or none": lambda n: {"augment": Noise(1) if n > 1 else None},
    "another class": lambda n: {"augment": Noise(1) if n > 1 else data.Jitter(1)},
    "not a number": lambda n: {"augment": Noise((np.nan, n))},
    "a partial": lambda n: {"objective": functools.partial(weighted, n)},
    "a closure": lambda n: {"objective": penalised(n)}, "a default": lambda n: {"objective": defaulted(n)},
    "another function": lambda n: {"objective": training.supervised if n == 1 else penalised(1)},
    "a keyword": lambda n: {"schedule": [functools.partial(rising, weight=n)]},
    "one more": lambda n: {"schedule": [functools.partial(rising, weight=1)] * n},
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_another_augmentation_objective_or_schedule_is_refused_and_the_same_made_anew_is_not(make, tmp_path):
    changed(**make(1)).fit(checkpoint=tmp_path / "run", epochs=1)
    changed(**make(1)).fit(checkpoint=tmp_path / "run", epochs=1, resume=True)
    name, = make(1)
    with pytest.raises(ValueError, match=f"of another run: its {name}.* is .*, not "):
        changed(**make(2)).fit(checkpoint=tmp_path / "run", epochs=1, resume=True)


def test_what_changes_while_it_is_used_may_differ_after_ctrl_c(tmp_path):
    run = changed(augment=Noise(1), objective=raising(training.supervised, 4, KeyboardInterrupt))
    assert run.fit(checkpoint=tmp_path / "run").interrupted and run.augment.seen
    run.objective = training.supervised
    assert not run.fit(checkpoint=tmp_path / "run", resume=True).interrupted


def test_other_weights_at_the_beginning_are_refused(tmp_path):
    def run(weight=0.0, teacher=0.0, scale=0.0):
        one = Run("an_objective_with_noise_and_a_regressor")
        one.model.fc1.weight.data[0, 0] += weight
        one.regressor.weight.data[0, 0] += teacher
        one.scale.data[0] += scale
        one.fit(checkpoint=tmp_path / "run", epochs=1, resume=True)

    run()
    run()
    for part, options in {"model": {"weight": 1}, "modules": {"teacher": 1}, "others": {"scale": 1}}.items():
        with pytest.raises(ValueError, match=f"of another run: its beginning of {part} is"):
            run(**options)


def test_the_parts_of_a_match_are_described():
    teacher, loss = nn.Sequential({"fc": nn.Linear(2, 2, rng=np.random.default_rng(0))}), weighted
    told = [json.dumps(checkpoint.described(Matching(teacher, Match(loss, layer, weight=weight))))
            for layer in ("fc", "fc2") for weight in (1.0, 2.0)]
    assert len(set(told)) == 4


def test_a_callable_that_holds_itself_is_described():
    def objective(model, batch):
        return loops["objective"], objective

    loops = {"objective": objective}
    loops["loops"] = loops
    assert json.dumps(checkpoint.described(objective)).count(objective.__qualname__) > 1


def test_the_options_of_adam_are_compared_too(tmp_path):
    def run(**options):
        one = Run("adam", 1)
        one.optimizer, one.schedule = optim.Adam(one.model.parameters(), **options), ()
        one.fit(checkpoint=tmp_path / "run", resume=True)

    run()
    run()
    with pytest.raises(ValueError, match=r"betas is \[0.9, 0.999\], not \[0.8, 0.999\]"):
        run(betas=(0.8, 0.999))
    with pytest.raises(ValueError, match="eps is 1e-08, not 1e-07"):
        run(eps=1e-7)


class Slotted:
    __slots__ = ("rng",)

    def __init__(self, rng):
        self.rng = rng

    def __call__(self, images, rng):
        return images + self.rng.random(images.shape, np.float32)


def closure(g):
    holder = Slotted(g)
    return lambda images, rng: holder(images, rng)


def default(g):
    def augment(images, rng, noise=g):
        return images
    return augment


def keyword(g):
    def augment(images, rng, *, noise=g):
        return images
    return augment


GLOBAL = np.random.default_rng(0)


def mentions_a_global(images, rng):
    return images + GLOBAL.random(images.shape, np.float32)


class Method:
    def __init__(self, rng):
        self.deep = {"list": [(rng,)]}

    def augment(self, images, rng):
        return images


UNNAMED = {
    "a slot": Slotted, "a closure": closure, "a default": default, "a keyword": keyword,
    "the object of a method": lambda g: Method(g).augment, "a global name": lambda g: mentions_a_global,
    "an object in a partial": lambda g: functools.partial(noisy, [{"deep": (Slotted(g),)}]),
}
NAMED = {
    "a partial": lambda g: functools.partial(noisy, g), "its keyword": lambda g: functools.partial(noisy, noise=g),
    "a list in a partial": lambda g: functools.partial(noisy, [{"deep": (g,)}]),
    "named": lambda g: training.named(closure(g), noise=g),
    "named in named": lambda g: training.named(closure(g), inner=training.named(noisy, noise=[g])),
}


@pytest.mark.parametrize("hold", UNNAMED.values(), ids=UNNAMED)
@pytest.mark.parametrize("part", [np.random.default_rng(0), nn.ReLU()], ids=["generator", "module"])
def test_what_a_callable_holds_without_a_name_is_refused(hold, part, tmp_path):
    """It would be another's after resuming, and no error would say so."""
    function = hold(part)
    kind = "Generator" if function is mentions_a_global else type(part).__name__
    with pytest.raises(TypeError, match=rf"the augment holds a {kind} that it does not name, .*training\.named\("):
        changed(augment=function).fit(checkpoint=tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("hold", NAMED.values(), ids=NAMED)
def test_a_generator_that_a_callable_names_is_found(hold, tmp_path):
    g = np.random.default_rng(0)
    generators, modules = checkpoint.held([hold(g)])
    assert generators == [g] and modules == []
    assert list(checkpoint.unnamed(hold(g), generators)) == []


def test_an_attribute_is_no_global_name_but_an_inner_function_reads_one():
    def attribute(images, rng):
        return images.GLOBAL * images.augment.GLOBAL

    def inner(images, rng):
        return [image + GLOBAL.random() for image in images] and (lambda: GLOBAL.random())()

    assert list(checkpoint.unnamed(attribute, [])) == [] and list(checkpoint.unnamed(inner, [])) == [GLOBAL]


def test_without_a_checkpoint_a_callable_may_hold_what_it_likes():
    changed(augment=closure(np.random.default_rng(0))).fit(epochs=1)


def test_a_module_is_found_once_with_its_generators():
    rng = np.random.default_rng(0)
    teacher = nn.Sequential(nn.Dropout(0.5, rng=rng))
    generators, modules = checkpoint.held([training.named(noisy, teacher=teacher, other=[teacher])])
    assert generators == [rng] and modules == [teacher]


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"no checkpoint", b"PK\x03\x04 torn", saved(np.savez, a=np.ones(2)), saved(np.save, np.ones(2)),
    saved(np.savez, notes=np.frombuffer(b"[1]", np.uint8)), saved(np.savez, notes=np.frombuffer(b"{}", np.uint8)),
], ids=["empty", "text", "torn", "npz", "npy", "list", "dict"])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(ValueError, match="no checkpoint"):
        Run("momentum").fit(checkpoint=tmp_path / "run", resume=True)


@pytest.mark.parametrize(("old", "new"), [
    ('self.model.load_state_dict(state["model"])', "pass"), ("p.data = np.array(state", "_ = np.array(state"),
    ('self.optimizer.load_state_dict(state["optimizer"])', "pass"), ('parts["best"] or None', "None"),
    ('History(**notes["history"])', "History()"),
    ("generator.bit_generator.state = generators[name]", "pass"), ("module.load_state_dict(", "dict("),
    ("queue += [generator for _, generator in value.generators()]", "queue += []"),
    ("holds(value).values()", "()"),
    ("| dict(model.generators())", ""),
    ("atomic.replacing(path) as temporary, open(temporary,", "open(path,"),
    ("atomic.replacing(path) as temporary, open(temporary,", "open(path.with_name('lost'),"),
])
def test_a_planted_bug_is_caught(old, new, tmp_path, monkeypatch):
    mutant = mutate(checkpoint, old, new)
    for name in NAMES:
        uninterrupted(name)  # by the real one
    monkeypatch.setattr(sys.modules["minicompress.training.loop"], "Run", mutant.Run)
    with pytest.raises((AssertionError, ValueError, TypeError, AttributeError)):
        for name in NAMES:
            killed_in_a_step(name, STEPS - 1, tmp_path / name)
        for save in range(EPOCHS + 1):
            (tmp_path / str(save)).mkdir()
            killed_while_a_checkpoint_is_written(save, np, "savez", tmp_path / str(save) / "run", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["momentum", "gradual_pruning", "clustering"])
def test_killed_for_real_at_random_moments(name, tmp_path):
    path, digest, epochs = tmp_path / "run", tmp_path / "digest", 25
    whole = Run(name, epochs)
    expected = whole.digest(whole.fit())
    moments, kills = random.Random(4), 0
    for _ in range(40):
        child = subprocess.Popen([sys.executable, "-m", "tests.training.runs", name, path, digest, "0.02", str(epochs)],
                                 cwd=Path(__file__).parents[2])
        try:
            child.wait(moments.uniform(0.3, 2.0) if kills < 8 else None)
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            kills += 1
            time.sleep(0.01)
    assert child.returncode == 0 and kills >= 3
    assert digest.read_text() == expected
