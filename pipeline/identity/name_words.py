"""The words around names: titles, generations, particles, what stands in for a name that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from pipeline.identity.text import vocabulary, words

TITLES = vocabulary("""
    mr mrs ms miss mx mister missus dr doctor prof professor sir madam dame lord lady rev reverend
    father sister hon capt captain cpt cmdr lt ltc sgt pvt cpl adm herr frau fraulein dipl ing mag habil
    monsieur madame mademoiselle mme mlle maitre senor senora senorita sra srta dra ingeniero licenciado
    lic doctora senhor senhora signor signora signorina dott dottssa avv geom rag dhr mevr mevrouw
    meneer drs fru fraken gospodin gospodja shri smt kumari datuk dato datin encik puan cik haji hajah
    hajj sayin
""")
"""Stand before a name and are no part of it."""

NAMELIKE_TITLES = vocabulary("sr don dona gen col maj pan pani sig master judge justice")
"""Titles that are names as well: taken for a title only where a whole name follows."""

LONE_TITLES = vocabulary("mr mrs ms miss mx dr prof mme mlle sra srta madam")
"""Nobody is called so: all that a form knew was how to address somebody."""

TITLE_JOINERS = frozenset(("and", "und", "et", "y", "e", "med", "rer", "nat", "jur"))
"""Between or behind titles: Mr and Mrs, Dr. med."""

TITLES_BEHIND = vocabulary("""
    phd md esq esquire dds dmd dvm cpa mba obe mbe cbe bsc msc llb llm llm jd rn frcs kbe dphil
""")
SPELT_TITLES_BEHIND = frozenset(
    (
        ("ph", "d"),
        ("m", "d"),
        ("d", "d", "s"),
        ("m", "b", "a"),
        ("b", "sc"),
        ("m", "sc"),
        ("ll", "b"),
        ("ll", "m"),
    )
)
"""Titles with dots, which part them into words."""

SUFFIXES: Mapping[str, str] = {
    "jr": "jr", "junior": "jr", "jnr": "jr", "sr": "sr", "senior": "sr", "snr": "sr", "fils": "jr", "pere": "sr",
    "i": "i", "1st": "i", "ii": "ii", "2nd": "ii", "iii": "iii", "3rd": "iii", "iv": "iv", "4th": "iv",
}  # fmt: skip
NAMELIKE_SUFFIXES: Mapping[str, str] = {"filho": "jr", "hijo": "jr", "neto": "iii"}
"""Generations (son, grandson) that are surnames as well: a whole name must stand before them."""

PARTICLES = vocabulary("""
    de del dela della delle dello dei der den di da das do dos du d des la le las los lo van von vom
    vander vanden zu zum zur zu und ten ter te op aan het t af av bin binti binte ibn bint ben al el abu
    abd ap ab mac mc st ste saint san santa santo fitz
""")
"""Belong to the surname that follows."""

JOINED_PARTICLES = frozenset(("o", "mc", "mac"))
"""Written apart or together: O Hare, O'Hare, Mc Donald, McDonald."""

BORN = frozenset(("nee", "geb", "geborene", "geborener", "nata", "nacida"))
"""What follows is the name somebody was born with."""

REMARKS = vocabulary("""
    deceased dec died late old new neu alt home work private privat business mobile vip customer former
    inactive duplicate dup mr mrs ms miss dr he she they him her them his hers theirs
""")
"""Found in brackets behind a name without being one."""

_KEYBOARD = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
_TYPED = frozenset(
    ["abc", *(run[:n] for run in (*_KEYBOARD, "abcdefghijklmnopqrstuvwxyz") for n in range(4, len(run) + 1))]
)


@lru_cache(maxsize=64)
def _spelt(placeholders: frozenset[str]) -> frozenset[str]:
    """The placeholders as words, as names are compared."""
    return frozenset(" ".join(words(p)) for p in placeholders) - {""}


@lru_cache(maxsize=32_768)
def is_stand_in(text: str, placeholders: frozenset[str]) -> bool:
    """True for what names nobody: no letter, a title alone, placeholders (`Mr Customer`), `xxx`, `asdf`, `abc`."""
    known = _spelt(placeholders)
    if text.isalpha() and text.isascii():  # one word, as nearly always
        token = text.casefold()
        return token in known or token in LONE_TITLES or _is_typed(token)
    rest = [t for t in words(text) if t not in LONE_TITLES]
    return " ".join(rest) in known or all(t in known or _is_typed(t) for t in rest)


def _is_typed(word: str) -> bool:
    """Letters nobody is called by: one repeated, a row of the keyboard from its start, the alphabet, or no letter."""
    if word in _TYPED or word.isdigit():
        return True
    return len(word) >= 3 and word == word[0] * len(word) and word != "iii"
