"""Names of firms: legal forms away, initials joined, compared word by word whichever order they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz.distance import JaroWinkler

from pipeline.identity.text import CLOSE_WORD, vocabulary, words

_LEGAL_FORMS = vocabulary("""
    inc incorporated ltd limited llc llp lp plc corp corporation co company pty gmbh mbh ag kg ohg kgaa
    ug ev sa sas sarl srl spa bv nv oy ab as aps sl slu ltda lda eireli kk pvt
""")
_NOBODYS_NAME = vocabulary(
    "inc incorporated ltd limited llc llp plc corp corporation company gmbh kgaa sarl ltda eireli"
)
"""Legal forms that are no person's name: who is called so is a firm."""

_SMALL_WORDS = vocabulary("the and und et")

_SHORTEST_WORD = 4


@lru_cache(maxsize=16_384)
def firm(text: str) -> str:
    """Canonical words of a firm's name without its legal form; a name that is nothing else stays as it is."""
    told = words(text)
    found = _with_initials_joined([w for w in told if w not in _SMALL_WORDS] or told)
    end = len(found)
    while end > 1 and found[end - 1] in _LEGAL_FORMS:
        end -= 1
    return " ".join(found[:end])


def is_firm(text: str) -> bool:
    """True for a name that ends in a legal form: Universal Exports Ltd."""
    found = words(text)
    return len(found) > 1 and found[-1] in _NOBODYS_NAME


def _with_initials_joined(found: Sequence[str]) -> list[str]:
    """A.B.C. Motors S.A. as abc motors sa."""
    joined: list[str] = []
    initials = False
    for word in found:
        is_initial = len(word) == 1 and word.isalpha()
        if is_initial and initials:
            joined[-1] += word
        else:
            joined.append(word)
        initials = is_initial
    return joined


def likeness(x: str, y: str) -> str:
    """The comparison level of two canonical names of firms.

    exact; close (slips of the pen, other spaces, another order of the words); part (each word of the shorter name is
    one of the longer: a branch, a short form); different.
    """
    if x == y:
        return "exact"
    if x.replace(" ", "") == y.replace(" ", ""):
        return "close"
    short, long = sorted((x.split(), y.split()), key=len)
    if not _are_among(short, long):
        return "different"
    return "close" if len(short) == len(long) else "part"


def _are_among(short: list[str], long: list[str]) -> bool:
    """Whether each word of the one is a word of its own of the other, equal words taken first."""
    left = list(long)
    misspelt = []
    for word in short:
        if word in left:
            left.remove(word)
        else:
            misspelt.append(word)
    for word in misspelt:
        found = next((other for other in left if _is_misspelt(word, other)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _is_misspelt(x: str, y: str) -> bool:
    return min(len(x), len(y)) >= _SHORTEST_WORD and JaroWinkler.similarity(x, y) >= CLOSE_WORD
