"""fit: it learns, it keeps the best, it stops when it must, and it says what is wrong with its arguments."""

import numpy as np
import pytest

from minicompress import binarization, data, models, nn, pruning, quantization, training
from minicompress.engine import Tensor
from minicompress.training import optim

SIZE = 60


def blobs(seed=0, n=SIZE, classes=3):
    """Classes that a line can tell apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return (3 * np.eye(classes, 4)[y] + 0.3 * rng.standard_normal((n, 4))).astype(np.float32), y


def mlp(seed=0):
    return models.mlp([4, 8, 3], rng=np.random.default_rng(seed))


def fit(model, examples=None, **options):
    options = {"epochs": 3, "batch_size": 16, "rng": np.random.default_rng(0)} | options
    return training.fit(model, blobs() if examples is None else examples, **options)


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def test_it_learns():
    model = mlp()
    history = fit(model, epochs=15)
    assert len(history.loss) == len(history.error) == len(history.seconds) == 15
    assert history.loss[-1] < 0.1 * history.loss[0] and training.evaluate(model, blobs(1)).error == 0.0
    assert history.validation_loss == history.validation_error == [None] * 15
    assert history.best_epoch is None and not history.interrupted


def test_the_same_seed_gives_the_same_bits():
    results = []
    for seed in (5, 5, 6):
        model = mlp()
        results.append((bits(model), fit(model, rng=np.random.default_rng(seed)).loss, bits(model)))
    assert results[0] == results[1] and results[0][0] == results[2][0]
    assert results[0][1] != results[2][1] and results[0][2] != results[2][2]


def test_loss_and_error_are_means_over_the_examples_not_over_the_batches():
    examples, seen = blobs(n=7), []

    def objective(model, batch):
        logits = model(Tensor(batch.x))
        loss = nn.functional.cross_entropy(logits, batch.y)
        seen.append((loss.item(), np.mean(logits.numpy().argmax(axis=1) != batch.y), len(batch.y)))
        return loss

    history = fit(mlp(), examples, objective=objective, epochs=1, batch_size=4)
    assert [n for _, _, n in seen] == [4, 3]
    np.testing.assert_allclose(history.loss, [sum(loss * n for loss, _, n in seen) / 7], rtol=1e-12)
    np.testing.assert_allclose(history.error, [sum(error * n for _, error, n in seen) / 7], rtol=1e-12)


def test_data_come_as_a_dataset_a_split_a_pair_or_images_alone():
    digits = data.load("digits", validation=0.1, rng=np.random.default_rng(0))
    model = models.mlp([64, 10], rng=np.random.default_rng(0))
    history = fit(model, digits, epochs=2)
    assert None not in history.validation_error and history.best_epoch is not None
    assert fit(model, digits.train, epochs=1).validation_error == [None]
    assert fit(model, (digits.train.images, digits.train.labels), epochs=1).validation_error == [None]
    unlabelled = fit(model, digits.train.images, epochs=1, objective=lambda m, batch: (m(Tensor(batch.x))**2).mean())
    assert unlabelled.error == [None]


def test_a_given_validation_split_goes_before_the_datasets_own():
    digits = data.load("digits", validation=0.1, rng=np.random.default_rng(0))
    model = models.mlp([64, 10], rng=np.random.default_rng(0))
    one = data.Split(digits.train.images[:1], digits.train.labels[:1], digits.scale)
    assert set(fit(model, digits, validation=one).validation_error) <= {0.0, 1.0}


def test_a_batch_carries_indices_by_which_a_teachers_outputs_are_found():
    x, y = blobs()
    teacher = np.eye(3, dtype=np.float32)[y]  # computed once for the whole split
    seen = []

    def objective(model, batch):
        assert batch.y is None
        np.testing.assert_array_equal(batch.x, x[batch.indices])
        seen.append(batch.indices)
        return nn.functional.cross_entropy(model(Tensor(batch.x)), teacher[batch.indices])

    model = mlp()
    history = fit(model, x, objective=objective, epochs=20)
    for epoch in range(20):
        assert sorted(np.concatenate(seen[4 * epoch:4 * epoch + 4])) == list(range(SIZE))
    assert training.evaluate(model, (x, y)).error == 0.0 and history.error == [None] * 20


def ruining(model, epoch, optimizer):
    """A schedule that turns the weights' signs at the start of an epoch, and lets nothing be learned from then on."""
    def schedule(step, steps_per_epoch):
        optimizer.lr = 0.05 if step < (epoch - 1) * steps_per_epoch else 0.0
        if step == epoch * steps_per_epoch:
            for p in model.parameters():
                p.data *= -1
    return schedule


def test_the_best_weights_on_validation_are_kept():
    model, states = mlp(), []
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    def note(step, steps_per_epoch):
        if step % steps_per_epoch == 0:
            states.append(bits(model))

    history = fit(model, validation=blobs(1), optimizer=optimizer, epochs=8,
                  schedule=[note, ruining(model, 6, optimizer)])
    assert history.validation_error[6] > history.validation_error[5] == history.validation_error[4]
    assert history.best_epoch == 5  # of equals the latest
    assert bits(model) == states[5] != states[7]


def test_among_equal_errors_the_least_loss_is_best():
    losses = []
    model = mlp()
    history = fit(model, validation=blobs(1), epochs=12)
    losses = [loss for loss, error in zip(history.validation_loss, history.validation_error, strict=True)
              if error == min(history.validation_error)]
    assert history.validation_loss[history.best_epoch] == min(losses) and len(losses) > 1


def test_best_from_passes_over_earlier_epochs():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    history = fit(model, validation=blobs(1), optimizer=optimizer, schedule=ruining(model, 6, optimizer), epochs=8,
                  best_from=6)
    assert history.best_epoch == 7 and history.validation_error[5] < history.validation_error[7]
    assert fit(mlp(), validation=blobs(1), epochs=3, best_from=2).best_epoch == 2
    with pytest.raises(ValueError, match="best_from is 3, expected an integer from 0 to 2"):
        fit(mlp(), validation=blobs(1), epochs=3, best_from=3)


def test_validation_chooses_in_evaluation_and_learns_nothing():
    model = nn.Sequential(nn.Linear(4, 8, rng=np.random.default_rng(0)), nn.BatchNorm1d(8),
                          nn.Dropout(0.9, rng=np.random.default_rng(1)), nn.Linear(8, 3, rng=np.random.default_rng(2)))
    history = fit(model, validation=blobs(1))
    np.testing.assert_allclose(history.validation_error[history.best_epoch], training.evaluate(model, blobs(1)).error)
    assert model.training


def test_schedules_run_before_every_step_with_its_number():
    calls = []
    fit(mlp(), schedule=[lambda step, per_epoch: calls.append(("a", step, per_epoch)),
                         lambda step, per_epoch: calls.append(("b", step, per_epoch))], epochs=2)
    assert calls == [(name, step, 4) for step in range(8) for name in "ab"]
    fit(mlp(), schedule=None, epochs=1)


def test_augmentation_reaches_training_only():
    digits = data.load("digits", validation=0.1, rng=np.random.default_rng(0))
    model, shapes = models.mlp([64, 10], rng=np.random.default_rng(0)), []

    def augment(images, rng):
        shapes.append(images.shape)
        return np.zeros_like(images)

    fit(model, digits, augment=augment, epochs=1, batch_size=500)
    assert [shape[0] for shape in shapes] == [500, 500, 294]


@pytest.mark.parametrize("step", [0, 5])
def test_an_interrupt_returns_what_there_is(step):
    model, count = mlp(), iter(range(100))

    def objective(model, batch):
        if next(count) == step:
            raise KeyboardInterrupt
        return training.supervised(model, batch)

    history = fit(model, objective=objective)
    assert history.interrupted and len(history.loss) == step // 4
    assert training.fit(mlp(), blobs(), epochs=1, rng=np.random.default_rng(0)).interrupted is False


def test_an_interrupt_keeps_the_best_weights():
    model, count, states = mlp(), iter(range(100)), []

    def objective(model, batch):
        if (step := next(count)) == 6:
            raise KeyboardInterrupt
        if step == 4:
            states.append(bits(model))
        return training.supervised(model, batch)

    history = fit(model, objective=objective, validation=blobs(1))
    assert history.interrupted and history.best_epoch == 0 and bits(model) == states[0]


@pytest.mark.parametrize(("rate", "at_step", "good_epoch", "validation"), [
    (rate, *case, validation)
    for rate in (1e45, 1e30)  # the weights overflow; they do not, but what they give does
    for case in ((0, 0), (2, 0),  # in the first epoch: back to the beginning
                 (3, 0),  # in the last step of the first: its weights are not good, though every loss was finite
                 (4, 1), (6, 1), (7, 1), (11, 2))
    for validation in (None, blobs(1))
    if (rate, case, validation) != (1e30, (11, 2), None)  # no loss is ever computed with these
], ids=lambda value: "" if isinstance(value, tuple) else str(value))
def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(rate, at_step, good_epoch, validation):
    model, states = mlp(), []
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def state():
        return bits(model), {name: np.asarray(value).tobytes() for name, value in optimizer.state_dict().items()}

    def schedule(step, steps_per_epoch):
        if step % steps_per_epoch == 0:
            optimizer.lr = 0.05
            states.append(state())
        optimizer.lr = rate if step == at_step else 0.05

    with pytest.raises(FloatingPointError, match=r"not finite .*learning rate"):
        fit(model, optimizer=optimizer, schedule=schedule, validation=validation, epochs=3)
    assert state() == states[good_epoch]
    assert np.isfinite(training.evaluate(model, blobs()).error) and fit(model, epochs=1).loss[0] < 10


def test_weights_that_are_finite_but_give_no_finite_loss_are_not_good():
    model, states = mlp(), []
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    def schedule(step, steps_per_epoch):
        if step == 0:
            states.append(bits(model))
        if step == 4:
            states.append(bits(model))
            assert all(np.isfinite(p.data).all() for p in model.parameters())

    def objective(model, batch):
        if len(states) == 2:
            return model(Tensor(batch.x)).sum() * np.inf
        return training.supervised(model, batch)

    with pytest.raises(FloatingPointError, match=r"loss in epoch 1, step 0"):
        fit(model, optimizer=optimizer, schedule=schedule, objective=objective)
    assert bits(model) == states[0]


def test_a_nan_loss_of_an_objective_stops_too():
    with pytest.raises(FloatingPointError, match=r"loss in epoch 0, step 0, is not finite \(nan\)"):
        fit(mlp(), objective=lambda model, batch: model(Tensor(batch.x)).sum() * float("nan"))


def test_images_that_are_not_finite_are_refused_before_training():
    x, y = blobs()
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"inf at \(3, 1\)"):
        fit(mlp(), (x, y))


def other_parameters():
    return optim.SGD(mlp(1).parameters(), lr=0.1)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"epochs": 0}, ValueError, "epochs is 0"), ({"epochs": 1.5}, ValueError, "epochs is 1.5"),
    ({"epochs": True}, ValueError, "epochs is True"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"), ({"batch_size": 2.5}, ValueError, "batch_size is 2.5"),
    ({"best_from": 1.5}, ValueError, "best_from is 1.5"), ({"best_from": -1}, ValueError, "best_from is -1"),
    ({"optimizer": "sgd"}, TypeError, "optimizer is a str, expected an Optimizer"),
    ({"objective": 3}, TypeError, "objective is 3, expected a callable"),
    ({"schedule": 3}, TypeError, "schedule is 3, expected a callable"),
    ({"schedule": [None]}, TypeError, "schedule is None, expected a callable"),
    ({"augment": 3}, TypeError, "augment is 3, expected a callable"),
    ({"rng": None}, TypeError, "rng is None"), ({"rng": 0}, TypeError, "rng is 0"),
    ({"optimizer": other_parameters()}, ValueError, "none of the model's parameters"),
    ({"schedule": optim.StepLR(other_parameters(), 1)}, ValueError, "StepLR changes another optimizer"),
    ({"validation": blobs()[0]}, ValueError, "validation split has no labels"),
    ({"validation": 0.1}, TypeError, "data is float"),
    ({"objective": lambda model, batch: 1.0}, TypeError, "what the objective gave is a float, expected a Tensor"),
    ({"objective": lambda model, batch: model(Tensor(batch.x))}, ValueError, r"single element, got shape \(16, 3\)"),
    ({"objective": lambda model, batch: training.supervised(model, batch).detach()}, RuntimeError, "no gradient"),
    ({"examples": blobs()[0]}, ValueError, "no labels.*another objective"),
    ({"examples": (blobs()[0], blobs(n=59)[1])}, ValueError, "60 images but 59 labels"),
    ({"examples": (blobs()[0][:, :3], blobs()[1])}, ValueError, r"\(16, 3\), \(8, 4\)"),
    ({"examples": "digits"}, TypeError, "data is str"),
])
def test_what_cannot_be_trained_on_is_refused(options, error, message):
    model = mlp()
    before = bits(model)
    with pytest.raises(error, match=message):
        fit(model, **options)
    assert bits(model) == before


@pytest.mark.parametrize("rewrite", [
    lambda model: binarization.pack(binarization.binarize(model, activations=True)),
    lambda model: quantization.convert(quantization.prepare_qat(model, blobs()[0])),
    lambda model: pruning.to_csr(model, 0.8).train()], ids=["packed", "integers", "sparse rows"])
def test_a_network_that_passes_no_gradient_is_refused(rewrite):
    model = models.mlp([4, 6, 6, 3], rng=np.random.default_rng(0))
    model.fc2.weight.data[1:] = 0
    with pytest.raises(TypeError, match=r"\w+, a \w+, passes no gradient: train the network that it was made of"):
        fit(rewrite(model))


def test_what_is_no_model_is_refused():
    for call in (lambda: fit("mlp"), lambda: training.predict("mlp", blobs()[0]),
                 lambda: training.evaluate(3, blobs())):
        with pytest.raises(TypeError, match=r"model is .*, expected an? .*Module"):
            call()


@pytest.mark.parametrize("names", [["fc1.weight"], ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]])
def test_an_optimizer_from_before_a_projection_is_refused(names):
    from minicompress.quantization import WeightClustering
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    parameters = dict(model.named_parameters())
    for name in names:
        nn.project(parameters[name], WeightClustering(4))
    before = bits(model)
    with pytest.raises(ValueError, match="build it after the model's last change"):
        fit(model, optimizer=optimizer)
    assert bits(model) == before
    fit(model, optimizer=optim.SGD(model.parameters(), lr=0.1))
    frozen = model.fc1.weight.projections[0].centroids_.data.copy()
    fit(model, optimizer=optim.SGD([model.fc2.bias if len(names) == 1 else
                                    model.fc2.bias.projections[0].centroids_], lr=0.1))  # freezing is a choice
    np.testing.assert_array_equal(model.fc1.weight.projections[0].centroids_.data, frozen)


def test_the_first_call_of_the_model_is_the_one_whose_errors_count():
    def objective(model, batch):
        loss = training.supervised(model, batch)
        return loss + 0 * model(Tensor(-batch.x)).sum()  # of which nearly all answers are wrong

    model = mlp()
    fit(model, epochs=15)
    assert fit(model, objective=objective, epochs=1).error == [0.0]
    assert np.mean(training.predict(model, -blobs()[0]).argmax(axis=1) != blobs()[1]) > 0.5


def test_labels_beyond_the_models_classes_are_refused():
    with pytest.raises(ValueError, match="span 0 to 3, expected 0 to 2"):
        fit(mlp(), blobs(classes=4))


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="0 parameters"):
        fit(nn.Sequential(nn.Flatten()))


def test_the_bar_is_on_stderr_and_can_be_switched_off(capsys):
    fit(mlp(), progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "100%" in err and "loss" in err
    fit(mlp(), progress=False)
    assert capsys.readouterr() == ("", "")


def test_predict_is_the_model_in_evaluation_batch_by_batch():
    model, (x, _) = mlp(), blobs()
    logits = training.predict(model, x, batch_size=7)
    assert logits.shape == (SIZE, 3) and logits.dtype == np.float32 and model.training
    np.testing.assert_allclose(logits, model(Tensor(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_fit_trains_the_centroids_of_shared_weights():
    from minicompress.quantization import WeightClustering
    model = mlp()
    fit(model)
    for p in model.parameters():
        nn.project(p, WeightClustering(4))
    before = fit(model, epochs=1, optimizer=optim.SGD(model.parameters(), lr=0.0)).loss[0]
    codes = model.fc1.weight.projections[0].codes_.copy()
    history = fit(model, epochs=20, optimizer=optim.Adam(model.parameters(), lr=0.01))
    assert history.loss[-1] < 0.5 * before
    assert len(np.unique(model.fc1.weight.effective().numpy())) <= 4
    np.testing.assert_array_equal(model.fc1.weight.projections[0].codes_, codes)


@pytest.mark.parametrize(("adam", "warm_up"), [(False, 0.0), (False, 1.5), (True, 0.0)])
def test_a_training_says_what_its_fields_would(adam, warm_up):
    """The same bits, by a `Training` or by an optimizer, schedules and the rest."""
    how = training.Training(epochs=4, lr=0.05, batch_size=8, weight_decay=1e-3, adam=adam, warm_up=warm_up, jitter=1)
    x, y = np.random.default_rng(0).random((24, 1, 4, 4), dtype=np.float32), np.arange(24) % 3
    models_ = [models.mlp([16, 5, 3], rng=np.random.default_rng(1)) for _ in range(2)]
    training.fit(models_[0], (x, y), how, progress=False, rng=np.random.default_rng(2))
    parameters = models_[1].parameters()
    optimizer = optim.Adam(parameters, 0.05, weight_decay=1e-3) if adam else optim.SGD(parameters, 0.05, 0.9, 1e-3)
    schedule = [optim.CosineAnnealingLR(optimizer, 4), *([optim.LinearLR(optimizer, 0.0, warm_up)] if warm_up else [])]
    training.fit(models_[1], (x, y), epochs=4, optimizer=optimizer, schedule=schedule, batch_size=8,
                 augment=data.Jitter(1), progress=False, rng=np.random.default_rng(2))
    assert (models_[0].fc1.weight.data == models_[1].fc1.weight.data).all()


@pytest.mark.parametrize("beside", [{"epochs": 3}, {"augment": data.Jitter(1)}])
def test_a_training_takes_nothing_beside_it(beside):
    model = models.mlp([4, 3], rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="expected a Training, without epochs"):
        training.fit(model, (np.zeros((3, 4), np.float32), np.arange(3)), training.Training(1), **beside,
               rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="training is 3, expected a Training"):
        training.fit(model, (np.zeros((3, 4), np.float32), np.arange(3)), 3, rng=np.random.default_rng(0))
