"""Runs the ledger against the package: every property on the implementation and on the literal reference."""

from dataclasses import dataclass

from .call import SINGLE
from .ledger import equations
from .trial import run, weight
from .words import inputs_in_words


@dataclass(frozen=True)
class Verification:
    """What `verify` found: true if everything holds; ``report`` is ready for JSON, printing it gives a table."""

    report: dict

    def __bool__(self):
        return self.report["passed"]

    def __str__(self):
        rows = self.report["equations"]
        width = max(len(row["id"]) for row in rows)
        lines = []
        for row in rows:
            alone = "" if row["implementation"] else ", reference only"
            lines.append(f"{'holds' if row['passed'] else 'FAILS'}  {row['id']:{width}}  {row['title']} "
                         f"({row['inputs']} inputs, {row['properties']} properties{alone})")
            for failure in row["failures"]:
                where = f"{failure['property']}: " if failure["property"] else ""
                lines.append(f"       {failure['side']}: {where}{failure['message']}, for {failure['inputs']}")
        failed = sum(not row["passed"] for row in rows)
        lines.append(f"{len(rows)} equations, {failed} of them fail" if failed else
                     f"{len(rows)} equations hold, {self.report['inputs']:,} inputs tried")
        return "\n".join(lines)

    __repr__ = __str__


def verify(ids=None, *, examples=60, seed=0):
    """Run the properties of the equations with these IDs, all for None, against the package and the references.

    ``examples`` inputs each, at least those that an entry insists on. Returns a `Verification`. Raises ValueError for
    unknown IDs and for no examples.

    >>> bool(verify(["PR-1"], examples=5))
    True
    """
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 1:
        raise ValueError(f"examples is {examples!r}, expected an integer of at least 1")
    rows = [_row(equation, examples, seed) for equation in equations(ids)]
    return Verification({"passed": all(row["passed"] for row in rows), "inputs": sum(row["inputs"] for row in rows),
                         "seed": seed, "equations": rows})


def _row(equation, count, seed):
    inputs, failures = equation.examples(count, seed), []
    sides = {"reference": equation.reference, "implementation": equation.implemented()}
    for side, function in sides.items():
        if function is None:
            continue
        eps = SINGLE if equation.single and side == "implementation" else None
        findings = run(equation, equation.subject(function, eps=eps), inputs)
        for name in [None, *equation.properties]:
            failed = [f for f in findings.failures if f.property == name]
            if failed:
                worst = min(failed, key=lambda failure: weight(failure.inputs))
                failures.append({"side": side, "property": name, "message": worst.message,
                                 "inputs": inputs_in_words(equation, worst.inputs)})
    return {"id": equation.id, "title": equation.title, "passed": not failures, "inputs": len(inputs),
            "properties": len(equation.properties), "function": equation.implementation,
            "implementation": sides["implementation"] is not None, "failures": failures}
