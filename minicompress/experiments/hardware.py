"""What a measurement was made on: a class of hardware and the libraries that count, but no names of machines."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def hardware():
    """{cpu, cores, blas_threads, blas, numpy, python, system}: strings, and cores as an integer.

    ``cores`` are those that this process may use; ``blas_threads`` is the setting in the environment, if there is one.

    >>> sorted(hardware())
    ['blas', 'blas_threads', 'cores', 'cpu', 'numpy', 'python', 'system']
    """
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    limits = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if os.environ.get(name)]
    return {
        "cpu": _cpu(), "cores": _cores(), "blas_threads": ", ".join(limits) or "as many as BLAS chooses",
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(), "numpy": np.__version__,
        "python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}",
    }


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu():
    """The processor's model, from wherever the system tells it."""
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if sys.platform == "linux":
            lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, subprocess.SubprocessError, StopIteration):
        pass
    return platform.processor() or platform.machine()
