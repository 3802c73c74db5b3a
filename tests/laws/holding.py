"""The ledger's properties as laws of the package, on inputs that hypothesis finds."""

from minicompress.checker import equation
from minicompress.checker.call import SINGLE


def hold(id, *inputs):
    """Every property of an equation, of the implementation and of the reference, on these inputs."""
    entry = equation(id)
    for function, eps in ((entry.implemented(), SINGLE if entry.single else None), (entry.reference, None)):
        subject = entry.subject(function, eps=eps)
        for property in entry.properties.values():
            property(subject, *inputs)
