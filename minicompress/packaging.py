"""How the wheel is built: setuptools finds the packages, and the folders beside them come in under names within.

Only setuptools reads this, by `pyproject.toml`; nothing of the package imports it. Data and notebooks have a folder of
their own at the top, as a package called `datasets` would collide with the well-known one.
"""

from setuptools.command.build_py import build_py

MAPPED = ("minicompress.datasets", "minicompress.datasets.mnist", "minicompress.datasets.digits",
          "minicompress.notebooks")


class BuildWithData(build_py):
    """`build_py` of the packages that were found, and of the mapped folders."""

    def finalize_options(self):
        super().finalize_options()
        self.packages = [*(name for name in self.packages or () if name not in MAPPED), *MAPPED]
