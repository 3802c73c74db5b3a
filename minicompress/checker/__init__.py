"""The ledger of equations, and a checker for one's own code: it holds a function against an equation's page.

The pages themselves are the modules of `minicompress.equations`.
"""

from .check import Check, check
from .ledger import equation, equations, papers
from .own_process import check_file
from .page import Page, Trap, page
from .paper import Convention, Paper
from .verify import Verification, verify

__all__ = ["Check", "Convention", "Page", "Paper", "Trap", "Verification", "check", "check_file", "equation",
           "equations", "page", "papers", "verify"]
