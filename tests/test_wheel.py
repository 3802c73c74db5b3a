"""The built wheel: every module and data file is in it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_everything_is_in_the_wheel(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT],
                   check=True, capture_output=True)
    wheel, = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = set()
    for folder, name in (("minicompress", "minicompress"), ("datasets", "minicompress/datasets"),
                         ("notebooks", "minicompress/notebooks")):
        wanted |= {f"{name}/{path.relative_to(ROOT / folder).as_posix()}" for path in (ROOT / folder).rglob("*")
                   if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)}
    assert wanted == names
