"""What people write: a table that reads aloud."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.replies import Help, OptOut, Reply, first_line, understand

NO = [
    *("STOP", "stop", "Stop.", "  stop!!! ", "STOP 🙏", "Please stop", "stop please", "Stop now thanks", "“Stop”"),
    *("quit", "END", "revoke", "opt out", "Opt-Out", "OPTOUT", "opt_out", "cancel", "Cancel please", "UNSUBSCRIBE"),
    *("stopall", "STOP ALL", "remove", "TD", "ARRÊT", "arrêt", "Stopp", "BAJA", "stopio", "ＳＴＯＰ"),
    *("stpo", "sotp", "stp", "stoop", "stops", "Unsubcribe", "unsubscribed", "unsubscrbe", "unsuscribe"),
    *("stop texting me", "Please stop calling", "stop it", "can you stop messaging me", "I want you to stop emailing"),
    *("do not text me again", "Don't ever call me", "don’t contact me", "no more texts", "No more of these calls"),
    *("take me off your list", "remove me", "please delete my number", "leave me alone", "I want to unsubscribe"),
    *("I would like to opt out of this", "wrong number", "never phone me"),
    *("STOP, said Mair", "Stop! I never asked for this", "unsubscribe: all of it"),
]
HELP = ["HELP", "help", "Help!", "info", "Cymorth", "please help"]
REPLY = [
    *("", " ", "👍", "yes", "no", "OK", "Tomorrow at ten is fine", "I need help with my boiler", "When does it end?"),
    *("cancel my appointment", "please cancel the order of tuesday", "the end", "shop", "step", "top", "stow", "spot"),
    *("I'm at the bus stop", "stop by at five", "don't stop", "please do not cancel", "I did not unsubscribe"),
    *("will you call me?", "end of the month suits me", "remove the second item"),
    *("Cancel: the Tuesday visit, please", "End - of the month that is"),
]


@pytest.mark.parametrize("text", NO)
def test_a_no_is_understood(text: str) -> None:
    assert isinstance(understand(text), OptOut)


@pytest.mark.parametrize("text", HELP)
def test_help_is_understood(text: str) -> None:
    assert understand(text) == Help()


@pytest.mark.parametrize("text", REPLY)
def test_everything_else_is_for_people(text: str) -> None:
    assert understand(text) == Reply()


@given(st.text(max_size=3000))
def test_nothing_is_too_odd_to_understand(text: str) -> None:
    assert isinstance(understand(text), OptOut | Help | Reply)


@given(st.sampled_from(["stop", "quit", "end", "revoke", "cancel", "unsubscribe"]), st.text(" .!?,🙏\n\t", max_size=6))
def test_the_seven_words_count_in_any_case_and_punctuation(word: str, around: str) -> None:
    assert understand(around + word.upper() + around) == OptOut(word)


def test_an_email_is_read_up_to_what_it_quotes() -> None:
    assert first_line("\n  \n> STOP to end\nThank you, see you there\n> on Monday") == "Thank you, see you there"
    assert first_line("> only quoted") == ""
