"""The entries of the ledger, a file for each family of equations."""

CHAPTERS = ("KD", "PR", "QU", "BI", "ME")


def all_entries():
    """Every entry, chapter by chapter, in the order of the table."""
    from . import (
        binarization,
        channels,
        clustering,
        coding,
        distillation,
        integers,
        linear,
        masked,
        measures,
        networks,
        packed,
        pruning,
        soft_targets,
    )
    families = (distillation, soft_targets, pruning, masked, channels, networks, linear, integers, clustering, coding,
                binarization, packed, measures)
    entries = [entry for family in families for entry in family.ENTRIES]
    return sorted(entries, key=lambda entry: (CHAPTERS.index(entry.row[:2]), int(entry.row[3:]), entry.id))
