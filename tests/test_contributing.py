"""The page that says how things are added: its files exist, and whoever follows it adds a criterion."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def files(text):
    """The paths between backticks that a recipe names."""
    return [path for path in re.findall(r"`([\w./-]+)`", text) if "/" in path or path in ("CHANGELOG.md", "README.md")]


def steps(section):
    """The files of each numbered step, in order."""
    return [path for step in re.findall(r"^\d\. (.*?)(?=^\d\. |^$)", SECTIONS[section], re.MULTILINE | re.DOTALL)
            for path in files(step)]


def test_there_is_a_recipe_for_each_kind():
    kinds = ("criterion", "loss", "layer", "projection", "form", "rewrite", "op", "experiment", "lesson")
    assert all(any(re.search(rf"\b{kind}\b", heading) for heading in SECTIONS) for kind in kinds)
    assert len(PAGE.splitlines()) < 120, "one page"


@pytest.mark.parametrize("path", sorted(set(files(PAGE))))
def test_what_it_names_is_there(path):
    places = ROOT, ROOT / "minicompress", ROOT / "minicompress" / "nn"
    assert "NAME" in path or any((place / path).exists() for place in places)


CRITERION, = (heading for heading in SECTIONS if heading.startswith("A criterion"))


def test_a_criterion_and_a_loss_touch_five_files():
    loss, = (heading for heading in SECTIONS if heading.startswith("A loss"))
    assert len(steps(CRITERION)) == len(steps(loss)) == 5


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A copy of the project in which the recipe was followed: the example's files once more, under another name."""
    folder = tmp_path_factory.mktemp("scratch")
    for name in ("minicompress", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "datasets", "notebooks"):
        (folder / name).symlink_to(ROOT / name)

    def toy(text):
        return (text.replace("geometric_median", "toy_median").replace("geometric-median", "toy-median")
                .replace("PR-5", "PR-99").replace("he2019filter", "nobody2099toy"))

    for path in steps(CRITERION):
        if "geometric_median" in path:
            (folder / toy(path)).write_text(toy((ROOT / path).read_text("utf-8")), "utf-8")
        elif path.endswith(".py"):
            lines = (ROOT / path).read_text("utf-8").splitlines(keepends=True)
            (folder / path).write_text("".join(lines + [toy(line) for line in lines if "geometric_median" in line]),
                                       "utf-8")
    return folder


def python(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_verify_runs_its_equation_and_sees_a_bug(scratch):
    done = python(scratch, "-m", "minicompress", "verify", "PR-99")
    assert done.returncode == 0 and "PR-99" in done.stdout, done.stdout + done.stderr
    code = scratch / "minicompress/pruning/criteria/toy_median.py"
    right = code.read_text("utf-8")
    assert right.count(".sum() for") == 1
    code.write_text(right.replace(".sum() for", ".max() for"), "utf-8")
    try:
        done = python(scratch, "-m", "minicompress", "verify", "PR-99")
        assert done.returncode and "PR-99" in done.stdout, done.stdout + done.stderr
    finally:
        code.write_text(right, "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("files", "words"), [
    (["tests/laws/test_criteria.py"], "toy-median"), (["tests/equations/test_pages.py"], "PR-99"),
    (["tests/pruning/test_toy_median.py"], "test"), (["tests/recipes/test_pipeline.py"], "toy-median and alone"),
])
def test_the_suites_find_it(files, words, scratch):
    done = python(scratch, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", words)
    assert done.returncode == 0 and re.search(r"[1-9]\d* passed", done.stdout), done.stdout + done.stderr


@pytest.mark.slow
def test_compare_has_a_row_for_it(scratch):
    code = ("import tempfile; from minicompress.experiments import compare; from minicompress.recipes import Lab\n"
            "with tempfile.TemporaryDirectory() as folder:\n"
            "    rows = compare.run(Lab(0, folder, short=True, progress=False), 'digits')['rows']\n"
            "print([row['method'] for row in rows])")
    done = python(scratch, "-c", code)
    assert "'cut by toy-median'" in done.stdout, done.stdout + done.stderr
