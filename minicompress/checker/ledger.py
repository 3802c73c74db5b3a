"""The ledger: every equation, found by walking the folder of pages."""

import importlib
import pkgutil
from functools import cache

from .page import Page

PAGES = "minicompress.equations"
CHAPTERS = ("KD", "PR", "QU", "BI", "AR", "DY", "DD", "ME")


@cache
def ledger():
    """Every `Page` by its ID, in the order of the chapters; ValueError for an ID that two pages have."""
    found = {}
    for page in sorted(pages(), key=lambda page: (CHAPTERS.index(page.row[:2]), int(page.row[3:]), page.id)):
        if page.id in found:
            raise ValueError(f"the ledger has {page.id} twice")
        found[page.id] = page
    return found


def pages():
    """The pages of every module below the folder."""
    folder = importlib.import_module(PAGES)
    for info in pkgutil.walk_packages(folder.__path__, f"{PAGES}."):
        module = importlib.import_module(info.name)
        yield from (value for value in vars(module).values()
                    if isinstance(value, Page) and value.__module__ == info.name)


def papers():
    """Every `Paper` that a page cites, once, by year and key."""
    cited = {place.paper for page in ledger().values() for place in page.cite if hasattr(place, "paper")}
    return sorted(cited, key=lambda paper: (paper.year, paper.key))


def equations(ids=None):
    """The equations of the given IDs, all for None; a row's ID stands for all its parts. ValueError for unknown ones.

    >>> [equation.id for equation in equations(["PR-9"])]
    ['PR-9']
    """
    known = ledger()
    if ids is None:
        return list(known.values())
    found = {}
    for wanted in [ids] if isinstance(ids, str) else ids:
        wanted = wanted.strip()
        matching = {id: e for id, e in known.items() if wanted.upper() in (id.upper(), e.row)}
        if not matching:
            raise ValueError(f"no equation {wanted!r}, expected one of {', '.join(known)}")
        found |= matching
    return list(found.values())


def equation(id):
    """The one equation of this very ID; ValueError for an unknown one.

    >>> equation("PR-1").implementation
    'minicompress.pruning.sparsity'
    """
    known = {name.upper(): entry for name, entry in ledger().items()}
    if not isinstance(id, str) or id.strip().upper() not in known:
        raise ValueError(f"no equation {id!r}, expected one of {', '.join(ledger())}")
    return known[id.strip().upper()]
