"""Plant a bug in a module of the package, in memory only, to prove that a law has teeth."""

import inspect
import itertools
import sys
import types

_serial = itertools.count()


def mutate(module, old, new):
    """A copy of ``module`` in which the source text ``old``, which must occur exactly once, reads ``new``."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times in {module.__name__}, expected once"
    mutant = types.ModuleType(f"{module.__name__}__mutant_{next(_serial)}")
    mutant.__package__ = module.__spec__.parent
    mutant.__file__ = module.__file__
    sys.modules[mutant.__name__] = mutant  # dataclasses look their own module up
    exec(compile(source.replace(old, new), module.__file__, "exec"), mutant.__dict__)
    return mutant
