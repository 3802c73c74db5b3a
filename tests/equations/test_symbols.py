"""A formula's two forms, for a terminal and in LaTeX, name the same symbols, and each of these is explained."""

import re
import unicodedata

import pytest

from minicompress.checker import equations

PAGES = equations()
GREEK = {}
for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "lambda", "mu", "xi", "pi", "rho",
             "sigma", "tau", "phi", "psi", "omega"):
    lookup = "LAMDA" if name == "lambda" else name.upper()
    GREEK[name] = unicodedata.lookup(f"GREEK SMALL LETTER {lookup}")
    GREEK[name.capitalize()] = unicodedata.lookup(f"GREEK CAPITAL LETTER {lookup}")
SIZED = re.compile(r"\(|\b(numbers?|fractions?|integers?|functions?|bits|bytes|epochs?|nats|probabilit(?:y|ies)|steps?|"
                   r"generator|text|true|false|shape)\b")


def letters(text):
    """The single letters of a text, hats and marks taken off; words are none."""
    found = set()
    for token in re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKD", text)):
        greek = [letter for letter in token if "Ͱ" <= letter <= "Ͽ"]
        if len(token) == 1 or greek:
            found |= set(token)
    return found - {"Σ"}


def without_subscripts(text):
    text = re.sub(r"[₀-₉ₐ-ₜᵢⱼₖₙₘ₊₋]+", "", text)
    return re.sub(r"_(\{(?:[^{}]|\{[^{}]*\})*\}|\([^)]*\)|[^\W_]+)", "", text)


def in_terminal(formula):
    """The symbols of a formula for a terminal: single letters, but not the article."""
    prose = re.sub(r"\ba (?=[a-z]{3})|\bI (?=[a-z])", "", formula)
    return letters(without_subscripts(prose))


def in_latex(latex):
    """The symbols of a formula in LaTeX: what it sets upright is a word."""
    latex = re.sub(r"\\(mathrm|text|textrm|operatorname|mathbf)\s*\{[^{}]*\}", " ", latex)
    latex = re.sub(r"\\(mathrm|text|textrm|operatorname|mathbf)\s*[A-Za-z0-9]", " ", latex)
    latex = re.sub(r"\\([A-Za-z]+)", lambda match: f" {GREEK[match[1]]} " if match[1] in GREEK else " ", latex)
    latex = re.sub(r"_\s+(?=\S)", "_", latex)
    spaced = " ".join(re.sub(r"_(\{(?:[^{}]|\{[^{}]*\})*\}|.)", " ", latex))
    return letters(spaced)


def explained(page):
    """The letters at the head of each explanation: of its name, and of its text up to the first comma or bracket."""
    found = set()
    for name, text in (page.arguments | page.results | page.symbols).items():
        found |= letters(without_subscripts(name)) | letters(without_subscripts(re.split(r"[,(]", text)[0]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=[page.id for page in PAGES])
def test_both_forms_name_the_same_symbols(page):
    assert in_terminal(page.formula) == in_latex(page.latex)


@pytest.mark.parametrize("page", PAGES, ids=[page.id for page in PAGES])
def test_every_symbol_is_explained(page):
    assert in_terminal(page.formula) - explained(page) == set()


@pytest.mark.parametrize("page", PAGES, ids=[page.id for page in PAGES])
def test_arguments_and_results_tell_their_shape_or_unit(page):
    assert {name: text for name, text in (page.arguments | page.results).items() if not SIZED.search(text)} == {}


@pytest.mark.parametrize(("formula", "symbols"), [
    ("p_i = exp(z_i/T) / Σ_j exp(z_j/T)", "pzT"), ("r̂ = s·(q − z)", "rsqz"), ("2⁻ⁿ·M₀/2³¹", "nM"),
    ("∂L/∂z = α·τ", "Lzατ"), ("m = 1 for a large w", "mw"), ("u = clip(t/(n·Δt), 0, 1)", "utnΔ")])
def test_letters_of_a_terminal(formula, symbols):
    assert in_terminal(formula) - {"∂"} == set(symbols)


@pytest.mark.parametrize(("latex", "symbols"), [
    (r"p_i = \frac{\exp(z_i / T)}{\sum_j \exp(z_j / T)}", "pzT"), (r"\hat r = s (q - z)", "rsqz"),
    (r"2^{-n} M_0 / 2^{31}", "nM"), (r"\frac{\partial L}{\partial z} = \alpha\tau", "Lzατ"),
    (r"u = \mathrm{clip}\left(\frac{t}{n\,\Delta t}, 0, 1\right)", "utnΔ")])
def test_letters_of_latex(latex, symbols):
    assert in_latex(latex) == set(symbols)
