"""The ledger of equations: each with a literal reference, properties and known traps; and a checker for one's own code.

The references (`equations.distillation`, `equations.pruning`, …) are loops as printed and owe the package nothing.
"""

from .checker import Check, check
from .ledger import Equation, Trap, equation, equations
from .sheltered import check_file
from .verification import Verification, verify

__all__ = ["Check", "Equation", "Trap", "Verification", "check", "check_file", "equation", "equations", "verify"]
