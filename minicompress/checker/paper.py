"""Papers and books that equations come from: each stands once, in the page that cites it first; others import it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper or a book. Called with a place in it, an equation or a section, it gives the `Citation`.

    authors : "Family, Given" each; ``arxiv`` its number, ``doi`` without the address

    >>> zhu = Paper("zhu2017prune", ("Zhu, Michael", "Gupta, Suyog"), "To prune, or not to prune", 2017,
    ...             "arXiv preprint", arxiv="1710.01878")
    >>> str(zhu("eq. 1"))
    'Zhu & Gupta 2017, eq. 1'
    """

    key: str
    authors: tuple
    title: str
    year: int
    venue: str
    arxiv: str | None = None
    doi: str | None = None

    def __call__(self, place):
        return Citation(self, place)

    def __str__(self):
        families = [author.partition(",")[0] for author in self.authors]
        names = " & ".join(families) if len(families) < 3 else f"{families[0]} et al."
        return f"{names} {self.year}"

    def bibtex(self):
        """The entry in BibTeX.

        >>> print(Paper("w1982", ("Lloyd, Stuart",), "Least squares", 1982, "IEEE", doi="10.1/2").bibtex())
        @misc{w1982,
          author = {Lloyd, Stuart},
          title = {{Least squares}},
          year = {1982},
          howpublished = {IEEE},
          doi = {10.1/2},
        }
        """
        fields = {"author": " and ".join(self.authors), "title": f"{{{self.title}}}", "year": self.year,
                  "howpublished": self.venue, "eprint": self.arxiv, "archiveprefix": self.arxiv and "arXiv",
                  "doi": self.doi}
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value is not None]
        return "\n".join([f"@misc{{{self.key},", *lines, "}"])


@dataclass(frozen=True)
class Citation:
    """A place in a paper: an equation, a section, an algorithm."""

    paper: Paper
    place: str

    def __str__(self):
        return f"{self.paper}, {self.place}"


@dataclass(frozen=True)
class Convention:
    """What no paper has, and this project decides; ``what`` says it in words."""

    what: str

    def __str__(self):
        return f"this project's convention: {self.what}"
