"""Data sets by name and from folders: what is split, what is scaled, what is refused."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.data import NAMES, DataError, dataset, load, write_idx
from tests.mutants import mutate

PARTS = {"train-images-idx3-ubyte": (60, 4, 5), "train-labels-idx1-ubyte": (60,),
         "t10k-images-idx3-ubyte": (20, 4, 5), "t10k-labels-idx1-ubyte": (20,)}


def make_folder(folder, *, sizes=(30, 20, 10), brightest=100, changed=(), name="{}"):
    """Four IDX files with distinct images; training labels by class size, test labels cycle through the classes."""
    rng = np.random.default_rng(0)
    arrays = {part: rng.integers(0, brightest, shape).astype(np.uint8) for part, shape in PARTS.items()}
    arrays["train-images-idx3-ubyte"][3, 2, 1] = brightest
    arrays["t10k-images-idx3-ubyte"][0, 0, 0] = 255
    arrays["train-labels-idx1-ubyte"] = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.uint8)
    arrays["t10k-labels-idx1-ubyte"] = (np.arange(20) % len(sizes)).astype(np.uint8)
    arrays.update(changed)
    folder.mkdir(exist_ok=True)
    for part, array in arrays.items():
        write_idx(folder / name.format(part), array)
    return list(arrays.values())


def rows(images, labels):
    return [(int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)]


def law_scale_is_the_largest_training_pixel(module, folder):
    """The test images hold a brighter pixel, and the brightest training image may go to validation: neither counts."""
    make_folder(folder)
    for seed in range(5):
        made = module.load(folder, validation=30, rng=np.random.default_rng(seed))
        assert {split.scale for split in (made, made.train, made.validation, made.test)} == {1 / 100}


def law_splits_off_the_training_set(module, folder, validation=13, seed=0):
    """Both parts keep the file's order, no image is lost or twice, and the test set is as it was."""
    images, labels, test_images, test_labels = make_folder(folder)
    made = module.load(folder, validation=validation, rng=np.random.default_rng(seed))
    parts = [rows(*split) for split in (made.train, made.validation)]
    original = rows(images, labels)
    assert sorted(parts[0] + parts[1]) == sorted(original)
    for part in parts:
        assert [row for row in original if row in set(part)] == part
    assert rows(*made.test) == rows(test_images, test_labels)
    return made


def law_split_is_stratified(module, folder):
    for sizes in ((30, 20, 10), (57, 2, 1), (0, 20, 40), (6,) * 10):
        make_folder(folder, sizes=sizes)
        for count in (1, 7, 30, 59):
            made = module.load(folder, validation=count, rng=np.random.default_rng(count))
            held_out = np.bincount(made.validation.labels, minlength=len(sizes))
            assert held_out.sum() == count
            assert (abs(held_out - count * np.array(sizes) / 60) < 1).all()


def law_split_follows_the_seed(module, folder):
    make_folder(folder)
    first, again, other = (rows(*module.load(folder, validation=20, rng=np.random.default_rng(seed)).validation)
                           for seed in (0, 0, 1))
    assert first == again != other


def law_counts_classes_in_both_files(module, folder):
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        make_folder(folder, changed={name: np.full(PARTS[name], 6, np.uint8)})
        assert module.load(folder).num_classes == 7


REFUSED = [
    ("train-images-idx3-ubyte", np.ones((59, 4, 5), np.uint8), "found 60 labels, expected 59, one per image in train-"),
    ("t10k-labels-idx1-ubyte", np.ones(21, np.uint8), "found 21 labels, expected 20, one per image in t10k-images"),
    ("t10k-images-idx3-ubyte", np.ones((20, 4, 6), np.uint8), "found test images of 4×6 pixels, expected 4×5"),
    ("train-images-idx3-ubyte", np.zeros((60, 4, 5), np.uint8), "found training images that are zero everywhere"),
    ("train-images-idx3-ubyte", np.ones(60, np.uint8), "found labels .* expected images"),
    ("t10k-labels-idx1-ubyte", np.ones((20, 1, 1), np.uint8), "found images .* expected labels"),
]


def law_files_that_do_not_match_are_refused(module, folder):
    for name, array, said in REFUSED:
        make_folder(folder, changed={name: array})
        with pytest.raises(DataError, match=said):
            module.load(folder)


def law_validation_is_checked(module, folder):
    make_folder(folder)
    rng = np.random.default_rng(0)
    for validation in (-1, 60, 61, 1.0, 1.5, -0.1, 0.001, 0.999, 7.0):
        with pytest.raises(ValueError, match=rf"validation={validation} of 60 images is .* expected .* from 1 to 59"):
            module.load(folder, validation=validation, rng=rng)
    for validation in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"validation is {validation}, expected a finite number"):
            module.load(folder, validation=validation, rng=rng)
    for validation in (True, None, "5", [5]):
        with pytest.raises(TypeError, match=r"validation is .* expected a number"):
            module.load(folder, validation=validation, rng=rng)
    for wrong in (None, 0):
        with pytest.raises(TypeError, match=r"rng is .*, expected a np.random.Generator to draw"):
            module.load(folder, validation=5, rng=wrong)


LAWS = [law for name, law in list(globals().items()) if name.startswith("law_")]
MUTANTS = [
    (law_scale_is_the_largest_training_pixel, "1 / brightest", "1 / 255"),
    (law_scale_is_the_largest_training_pixel, "brightest = int(images.max())", "brightest = int(test_images.max())"),
    (law_scale_is_the_largest_training_pixel, "Split(images, labels, scale), held",
     "Split(images, labels, 1 / images.max()), held"),
    (law_splits_off_the_training_set, "images[~chosen], labels[~chosen]", "images, labels"),
    (law_splits_off_the_training_set, "Split(images[chosen], labels[chosen], scale)",
     "Split(test_images[:13], test_labels[:13], scale)"),
    (law_splits_off_the_training_set, "labels[~chosen]\n", "np.sort(labels[~chosen])\n"),
    (law_split_is_stratified, "quota[np.argsort(-remainder", "quota[np.argsort(0 * remainder"),
    (law_split_is_stratified, "quota[np.argsort(-remainder", "quota[np.argsort(remainder"),
    (law_split_is_stratified, "np.flatnonzero(labels == label)", "np.flatnonzero(labels >= label)"),
    (law_split_follows_the_seed, "rng.permutation(np.flatnonzero(labels == label))", "np.flatnonzero(labels == label)"),
    (law_split_follows_the_seed, "rng.permutation(np.flat", "np.random.default_rng().permutation(np.flat"),
    (law_counts_classes_in_both_files, "max(labels.max(), test_labels.max())", "labels.max()"),
    (law_counts_classes_in_both_files, "max(labels.max(), test_labels.max())", "test_labels.max()"),
    (law_files_that_do_not_match_are_refused, "require(len(images) == len(labels)", "require(True"),
    (law_files_that_do_not_match_are_refused, "require(size == test_size", "require(True"),
    (law_validation_is_checked, "1, total - 1", "0, total"),
    (law_validation_is_checked, 'expect.number("validation", validation)', "validation != 0"),
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law, tmp_path):
    law(dataset, tmp_path / "mine")


@pytest.mark.parametrize("law, old, new", MUTANTS)
def test_mutant_is_caught(law, old, new, tmp_path):
    with pytest.raises((AssertionError, ZeroDivisionError, ValueError, pytest.fail.Exception)):
        law(mutate(dataset, old, new), tmp_path / "mine")


@given(validation=st.one_of(st.integers(1, 59), st.floats(0.02, 0.98)), seed=st.integers(0, 2**32))
def test_any_split_is_a_partition(validation, seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "partition"
    made = law_splits_off_the_training_set(dataset, folder, validation, seed)
    expected = validation if isinstance(validation, int) else round(60 * validation)
    assert len(made.validation.images) == expected


def test_without_validation_nothing_is_split_off(tmp_path):
    images, labels, *test = make_folder(tmp_path / "mine")
    for made in (load(tmp_path / "mine"), load(str(tmp_path / "mine"), validation=0.0, rng=np.random.default_rng(0))):
        assert made.validation is None and made.name == str(tmp_path / "mine") and made.image_shape == (4, 5)
        assert rows(*made.train) == rows(images, labels) and rows(*made.test) == rows(*test)


@pytest.mark.parametrize("spell", [lambda s: s + ".gz", lambda s: s.replace("-idx", ".idx"),
                                   lambda s: s.replace("-idx", ".idx") + ".gz"])
def test_other_spellings_are_found(spell, tmp_path):
    make_folder(tmp_path)
    expected = load(tmp_path)
    for name in PARTS:  # the content stays plain: ".gz" in a name is not what tells
        os.replace(tmp_path / name, tmp_path / spell(name))
    assert rows(*load(tmp_path).train) == rows(*expected.train)


def test_the_plain_file_is_read_if_both_are_there(tmp_path):
    make_folder(tmp_path)
    for name in PARTS:
        (tmp_path / f"{name}.gz").write_bytes(b"never read")
    assert load(tmp_path).num_classes == 3


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_file_is_named(name, tmp_path):
    make_folder(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"found no {name}, expected a folder holding train-images-idx3-ubyte"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "MNIST", "no/such/folder"])
def test_an_unknown_name_lists_the_known_ones(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"neither .* 'digits', 'mnist' or a folder holding train-images-idx3-ubyte"):
        load(name)


def test_a_name_means_the_data_set_and_not_a_folder(tmp_path, monkeypatch):
    make_folder(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert load("digits").image_shape == (8, 8)
    assert load(os.path.join(".", "digits")).image_shape == (4, 5)


def test_installed_data_are_found_inside_the_package_first(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "minicompress"
    (package / "data").mkdir(parents=True)
    monkeypatch.setattr(dataset, "__file__", str(package / "data" / "dataset.py"))
    with pytest.raises(DataError, match="no data for 'digits'"):
        load("digits")
    stranger = package.parent / "datasets"  # a package of this name exists: its folder is not to be taken for ours
    stranger.mkdir()
    with pytest.raises(DataError, match="no data for 'digits'"):
        load("digits")
    (package / "datasets").mkdir()
    make_folder(package / "datasets" / "digits")
    make_folder(stranger / "digits", sizes=(60,))
    assert load("digits").num_classes == 3
    shutil.rmtree(package / "datasets")
    assert load("digits").num_classes == 1


def test_the_default_is_digits():
    assert load().name == "digits" == NAMES[0]
