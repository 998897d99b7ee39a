"""The compliance gate: may this person be called on this number, in this mode, now, and which rules say so?

Pure and synchronous: no input or output, no clock, no randomness. The dialer's shell loads `Packs` once, states the
facts and asks:

    packs = packloader.load_packs()                          # services.dialer.packloader: what ships, and your own
    facts = Facts(number="+13055550123", purpose="marketing", mode="preview", suppressed=False)
    decision = decide(facts, packs, at)                      # allow | defer until | deny, with rules and versions
    stored = decision.to_json(), write_facts(facts, at)      # to keep with the attempt; `replay` decides again

`check(facts, packs, at)` is the same answer in short (allow, defer until or deny, and the rule that holds the call
back) for long lists of leads. `candidate_zones(number, address, packs)` answers in which zones a person may be, for
showing their local time. `counters(facts, packs, at)` are the caps that bind, to be checked again under lock.
`first_hour(facts, packs, at)` asks about nothing but the hour. `opt_out_words(packs, jurisdictions)` are the words that
mean no.
"""

from services.dialer.domain.gate.decision import Decision, RuleSays
from services.dialer.domain.gate.engine import (
    HORIZON,
    Counter,
    Packs,
    Verdict,
    candidate_zones,
    check,
    counters,
    decide,
    first_hour,
    opt_out_words,
    packs_for,
)
from services.dialer.domain.gate.facts import (
    MODES,
    Address,
    CampaignCounts,
    Consent,
    Counts,
    Facts,
    Hours,
    PastAttempt,
    Proclaimed,
    Relationship,
    Scrub,
)
from services.dialer.domain.gate.packs import Pack, Rule
from services.dialer.domain.gate.places import Places
from services.dialer.domain.gate.wire import FactError, parse_facts, write_facts

__all__ = [
    "HORIZON",
    "MODES",
    "Address",
    "CampaignCounts",
    "Consent",
    "Counter",
    "Counts",
    "Decision",
    "FactError",
    "Facts",
    "Hours",
    "Pack",
    "Packs",
    "PastAttempt",
    "Places",
    "Proclaimed",
    "Relationship",
    "Rule",
    "RuleSays",
    "Scrub",
    "Verdict",
    "candidate_zones",
    "check",
    "counters",
    "decide",
    "first_hour",
    "opt_out_words",
    "packs_for",
    "parse_facts",
    "write_facts",
]
