"""What a person's answer to a message means: no more, help, or something for people to read.

Three tiers. A word of the first is a no by itself, as the law and the carriers have it. The second finds a no in plain
words, spelling mistakes included. What remains is read by people. An error should silence us rather than annoy
somebody, but "cancel my appointment" is a request and must reach a person.
"""

import re
import unicodedata
from dataclasses import dataclass

_PER_SE = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")
"""The seven words of 47 CFR 64.1200(a)(10)."""

_PLATFORM = (
    *("stopall", "stop all", "optout", "remove", "td"),
    *("arret", "stopp", "baja", "alto", "parar", "basta", "stopio"),
)
"""What carriers and platforms honour besides, here and abroad."""

_HELP = ("help", "info", "aide", "hilfe", "ayuda", "cymorth")

_POLITE = "please pls plz thanks thank you ok okay now just hi hello hey kindly sir madam diolch merci"

_NO = r"(?:do not|dont|don t|never|no longer|no more)"
_CONTACT = r"(?:call|text|messag|msg|contact|email|mail|ring|phon|send|writ|bother|disturb|harass)(?:e|es|s|ing|ed)?"
_PHRASES = (
    rf"^(?:(?:can|could|will|would|you|i|want|to|need|must|and) )*stop (?:it|this|that|all|these|those|{_CONTACT})\b",
    rf"\b{_NO} (?:ever )?{_CONTACT}\b",
    rf"\bno more (?:\w+ ){{0,2}}{_CONTACT}\b",
    r"\b(?:take|get|remove|delete|opt) (?:me|my number|this number|us) (?:off|out|from)\b",
    r"\bremove (?:me|my number|this number)\b",
    r"\bdelete my number\b",
    r"\bleave me alone\b",
    r"\b(?:i )?(?:want to |would like to )?(?:unsubscribe|opt out)\b",
    r"\b(?:not interested|wrong number)$",
)
_PHRASE = re.compile("|".join(_PHRASES))
_FIRST = re.compile(
    rf"\s*({'|'.join(word for word in _PER_SE if word not in ('end', 'cancel'))})\s*[,.;:!–—-]", re.IGNORECASE
)
"""A no, a pause, and then more: "STOP, said Mair". "End" and "cancel" begin too many requests."""
_NEGATED = re.compile(rf"\b(?:{_NO}|did not|didnt|didn t|not) (?:stop|unsubscribe|opt out|quit|cancel)\b")
_MISSPELT = ("stop", "unsubscribe", "optout", "stopall")

MAX_TEXT = 2_000
"""Characters that are looked at and kept: a reply is a message, not a document."""


@dataclass(frozen=True, slots=True)
class OptOut:
    """No more messages; *keyword* is the word or the tier that said so."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Help:
    """Who are you and how do I get out of this?"""


@dataclass(frozen=True, slots=True)
class Reply:
    """Something for people to read."""


Meaning = OptOut | Help | Reply


def understand(text: str) -> Meaning:
    """Return what *text* means; it never fails."""
    plain = _plain(text[:MAX_TEXT])
    # "opt-out" has become "opt out", so the words compare without their spaces as well.
    core = " ".join(word for word in plain.split() if word not in _POLITE.split())
    for candidate in (plain, core):
        if candidate in _PER_SE or candidate in _PLATFORM:
            return OptOut(candidate)
        if candidate in _HELP:
            return Help()
    first = _FIRST.match(text[:MAX_TEXT])
    if first is not None:
        return OptOut(first[1].lower())
    if _NEGATED.search(plain):
        return Reply()
    misspelt = next((word for word in _MISSPELT if _one_slip(core.replace(" ", ""), word)), None)
    if misspelt is not None:
        return OptOut(misspelt)
    return OptOut("phrase") if _PHRASE.search(core) else Reply()


def _plain(text: str) -> str:
    """Return *text* in lower case, without accents, punctuation and emoji, words one space apart."""
    decomposed = unicodedata.normalize("NFKD", text).lower()
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w]|_", " ", letters.replace("'", "").replace("’", "")).split())


def _one_slip(word: str, wanted: str) -> bool:
    """Tell whether *word* is *wanted* with one letter missing, added, changed or two neighbours exchanged.

    The first letter must be right, and short words may not change one: "shop" and "step" are not "stop".
    """
    if not word or word[0] != wanted[0] or abs(len(word) - len(wanted)) > 1 or len(word) < 3:
        return False
    if len(word) == len(wanted):
        places = [i for i in range(len(wanted)) if word[i] != wanted[i]]
        exchanged = len(places) == 2 and sorted(word) == sorted(wanted) and places[1] == places[0] + 1
        return exchanged or (len(places) <= 1 and len(wanted) > 6)
    shorter, longer = sorted((word, wanted), key=len)
    # "top" and "stoop" aside, a lost or doubled letter is how "stop" is mistyped.
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))


def first_line(text: str) -> str:
    """Return the first line of an e-mail that says something and is not quoted."""
    lines = (line.strip() for line in text[:MAX_TEXT].splitlines())
    return next((line for line in lines if line and not line.startswith(">")), "")
