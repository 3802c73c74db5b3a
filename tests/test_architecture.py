"""What imports what, what rooms there are, and what is nowhere to be found, read off the source as it stands."""

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minicompress"
SOURCES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
           for path in sorted(PACKAGE.rglob("*.py"))}
CHAPTERS = {"distillation", "pruning", "quantization", "binarization", "factorization", "dynamic", "condensation"}
LAYERS = [{"atomic", "claims", "columns", "expect"}, {"forms", "clustering", "engine", "data"},
          {"nn", "coding", "kernels"}, {"models", "training"}, CHAPTERS,
          {"container"}, {"recipes", "plots", "bench"}, {"experiments", "lessons"}, {"cli"}, {"__main__"}]
LEDGER = {"checker": {"checker"}, "equations": {"equations", "checker"}}  # which know nothing of the package
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
STRANGERS = *(rooms for rooms in LAYERS[1:4]), CHAPTERS  # of each other


def imports(source, module, is_package):
    """(dotted name, line) of every import, also inside functions; ``from x import y`` counts as x.y."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            up = parts[:len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def room(name):
    """``minicompress.nn.layers`` -> ``nn``."""
    return name.split(".")[1]


def violations(source, module, is_package=False):
    """What an import contract has against a module, in words."""
    if module == "minicompress":
        return  # the front door may name everything
    here = room(module)
    for name, line in imports(source, module, is_package):
        if not name.startswith("minicompress."):
            continue
        there = room(name)
        if here in LEDGER and there not in LEDGER[here]:
            yield f"{module}:{line} imports {name}: the equations stand alone"
        elif there == here or there in LEDGER:
            continue
        elif there not in RANK:
            yield f"{module}:{line} imports {name} through the front door"
        elif RANK[there] > RANK[here]:
            yield f"{module}:{line} imports {name}, which lies above it"
        elif any({here, there} <= rooms for rooms in STRANGERS):
            yield f"{module}:{line} imports {name}, a neighbour that it should not know"


def all_violations():
    return [found for module, path in SOURCES.items()
            for found in violations(path.read_text("utf-8"), module, path.name == "__init__.py")]


def test_imports_go_down_only_and_chapters_are_strangers():
    assert all_violations() == []


@pytest.mark.parametrize(("module", "source"), [
    ("minicompress.engine.ops", "from minicompress.nn import Module"),
    ("minicompress.engine.ops", "from ..nn import Module"),
    ("minicompress.engine.ops", "def f():\n    import minicompress.models.lenet"),
    ("minicompress.engine.ops", "from minicompress import Tensor"),
    ("minicompress.forms", "from .engine import Tensor"),
    ("minicompress.training.loop", "from .. import pruning"),
    ("minicompress.training.loop", "from minicompress.models import mlp"),
    ("minicompress.pruning.magnitude", "from minicompress.quantization import WeightClustering"),
    ("minicompress.pruning.magnitude", "from minicompress.container import save"),
    ("minicompress.equations.pruning.magnitude", "from minicompress.forms import Dense"),
    ("minicompress.checker.page", "from minicompress.engine import Tensor"),
    ("minicompress.checker.ledger", "from minicompress.equations.pruning import magnitude"),
    ("minicompress.container", "from .cli import main"),
])
def test_the_contract_sees_a_forbidden_import(module, source):
    assert list(violations(source, module))


@pytest.mark.parametrize(("module", "source"), [
    ("minicompress.training.loop", "from minicompress.engine import Tensor\nfrom . import functional"),
    ("minicompress.training.loop", "from ..data import load"),
    ("minicompress.pruning.magnitude", "import minicompress.nn.parameter\nimport numpy as np"),
    ("minicompress.recipes.deep", "from minicompress import container, pruning, quantization"),
    ("minicompress.bench.train", "from minicompress.equations.coding import huffman"),
    ("minicompress.equations.pruning.masks", "from minicompress.checker.page import page\nfrom .magnitude import x"),
])
def test_the_contract_allows_what_goes_down(module, source):
    assert list(violations(source, module)) == []


def test_every_room_has_its_place():
    rooms = {room(module) for module in SOURCES if module != "minicompress"}
    assert rooms - {*LEDGER, "packaging"} <= set(RANK)
    assert {"forms", "clustering", "engine", "data", "nn", "coding", "models", "pruning", "quantization"} <= rooms


def test_the_import_linter_is_told_the_same():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [set(layer.replace("(", "").replace(")", "").replace("|", " ").replace(":", " ").split())
              for layer in contracts[0]["layers"]]
    assert layers[::-1] == LAYERS
    listed = {name.removeprefix("minicompress.") for name in contracts[1]["forbidden_modules"]}
    present = {room(module) for module in SOURCES if module != "minicompress"} - {
        *LEDGER, "cli", "__main__", "packaging"}
    assert present <= listed


def test_no_room_is_a_lumber_room():
    lumber = {"utils", "util", "helpers", "helper", "base", "common", "misc", "tools"}
    assert not [module for module in SOURCES if lumber & set(module.split("."))]


def test_only_four_packages_are_needed_at_run_time():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {requirement.partition(">")[0] for requirement in declared}
    assert names == {"numpy", "scipy", "matplotlib", "tqdm"}
    for module, path in SOURCES.items():
        if module.startswith(("minicompress.bench", "minicompress.packaging")):
            continue
        for name, line in imports(path.read_text("utf-8"), module, path.name == "__init__.py"):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in {"minicompress", *names}, f"{module}:{line} imports {name}"


@pytest.mark.parametrize("level", ["engine", "data", "forms", "clustering"])
def test_the_lowest_level_needs_numpy_alone(level):
    for module, path in SOURCES.items():
        if room(module + ".") == level:
            for name, line in imports(path.read_text("utf-8"), module, path.name == "__init__.py"):
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top in {"minicompress", "numpy"}, f"{module}:{line} {name}"


def test_every_folder_of_code_is_a_package():
    """Which setuptools finds; a folder without its ``__init__`` would be left out of the wheel."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_pickle_and_no_fork():
    for module, path in SOURCES.items():
        names = {name.split(".")[0] for name, _ in imports(path.read_text("utf-8"), module, path.name == "__init__.py")}
        assert not names & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "multiprocessing"}, module


def test_numpy_reads_and_writes_no_pickles():
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                assert "allow_pickle=False" in ast.unparse(node), f"{module}:{node.lineno}"


def legacy(source):
    """Lines that use NumPy's global generator, its legacy class, or Python's own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            if node.attr not in ("Generator", "default_rng", "SeedSequence", "PCG64", "BitGenerator"):
                yield node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if "random" in names or getattr(node, "module", None) == "random":
                yield node.lineno


def test_randomness_comes_from_generators_only():
    assert [f"{module}:{line}" for module, path in SOURCES.items() for line in legacy(path.read_text("utf-8"))] == []
    for source in ("np.random.seed(0)", "x = np.random.rand(3)", "np.random.RandomState", "import random",
                   "from random import choice", "from numpy import random"):
        assert list(legacy(source)), source


def test_no_generator_is_made_of_thin_air():
    """``default_rng()`` without a seed gives other bits every time."""
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng"):
                assert node.args, f"{module}:{node.lineno}"


def test_files_and_functions_stay_short():
    for module, path in SOURCES.items():
        source = path.read_text("utf-8")
        assert len(source.splitlines()) <= 400, module
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node, clean=False)
                lines = node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
                assert lines <= 70, f"{module}:{node.lineno} {node.name} has {lines} lines of code"


def test_importing_the_package_does_not_import_the_drawing_room():
    """matplotlib takes longer than all the rest together."""
    import subprocess
    code = "import minicompress, sys; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


ROOMS = sorted(path.name.removesuffix(".py") for path in PACKAGE.iterdir()
               if path.suffix == ".py" or (path / "__init__.py").exists())
TESTS = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("*.py")))


@pytest.mark.parametrize("room", sorted(set(ROOMS) - {"__main__", "__init__", "datasets", "packaging", "cli"}))
def test_no_public_function_or_class_goes_untested(room):
    """Each is named by a test, or by its own example, which runs as one; a new one without either fails here.

    Records that functions give are apart: what they hold is what the tests of these functions look at.
    """
    members = {name: value for name, value in vars(importlib.import_module(f"minicompress.{room}")).items()
               if not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value))
               and value.__module__.startswith(f"minicompress.{room}") and not dataclasses.is_dataclass(value)}
    assert [name for name, value in members.items() if not re.search(rf"\b{name}\b", TESTS)
            and not re.search(rf">>> .*\b{name}\b", value.__doc__ or "")] == []
