"""The order lifecycle said a second time, as sentences instead of a table: each of its cells must follow from one."""

from __future__ import annotations

import pytest

from flashscalper.trading.orders import LIFECYCLE, Happening, OrderState

S, H = OrderState, Happening
BEFORE_ANSWER = {S.SENT, S.UNKNOWN}
WORKING = {S.UNTRIGGERED, S.OPEN}
OUR_CONCLUSION = {S.REJECTED, S.UNSENT, S.DEAD}
SHOWN = {
    H.SHOWN_NEW: S.ACCEPTED, H.SHOWN_UNTRIGGERED: S.UNTRIGGERED, H.SHOWN_OPEN: S.OPEN, H.SHOWN_FILLED: S.FILLED,
    H.SHOWN_CANCELED: S.CANCELED, H.SHOWN_REFUSED: S.REFUSED,
}  # fmt: skip


def expected(state: OrderState, what: Happening) -> OrderState:
    """What must come of it, by the first sentence that speaks of it."""
    if state is S.FILLED:
        return S.FILLED  # nothing undoes a full fill; a bust is no step of the order
    if what in {H.SHOWN_FILLED, H.FILLED_WHOLE}:
        return S.FILLED  # money moved: that is believed in every state
    if state is S.CANCELED:
        return S.CANCELED  # the exchange said it is over
    if state is S.REFUSED:
        return S.CANCELED if what in {H.SHOWN_CANCELED, H.FILLED_PART} else S.REFUSED  # it had been working after all
    if what in SHOWN:
        return shown(state, what)
    if what is H.FILLED_PART:
        return S.UNKNOWN if state in OUR_CONCLUSION else S.OPEN  # we were wrong that it was over: ask
    if what is H.NOT_FOUND:
        return not_found(state)
    return answered(state, what)


def shown(state: OrderState, what: Happening) -> OrderState:
    """The exchange shows the order: its word is taken, but it never goes back on its own way."""
    if what is H.SHOWN_NEW and state in WORKING:
        return state
    if what is H.SHOWN_UNTRIGGERED and state is S.OPEN:
        return S.OPEN
    if what is H.SHOWN_REFUSED and state in WORKING:
        return S.CANCELED  # it had passed the checks
    return SHOWN[what]


def not_found(state: OrderState) -> OrderState:
    """A clean negative read: an order that has no answer yet is asked for again, one that was known is gone."""
    if state is S.SENT:
        return S.UNKNOWN
    return state if state in OUR_CONCLUSION else S.DEAD


def answered(state: OrderState, what: Happening) -> OrderState:
    """The answer to the request: it settles an order that nobody has shown us; what was shown stands above it."""
    if what is H.ANSWERED_ACCEPTED:
        return S.ACCEPTED if state in BEFORE_ANSWER | OUR_CONCLUSION else state
    if what is H.ANSWERED_REJECTED:
        return S.REJECTED if state in BEFORE_ANSWER | OUR_CONCLUSION else state
    if what is H.ANSWERED_UNKNOWN:
        return S.UNKNOWN if state in {S.SENT, S.UNSENT} else state
    if what is H.ANSWERED_UNSENT:
        return S.UNSENT if state is S.SENT else state
    assert what is H.ANSWER_OVERDUE
    return S.UNKNOWN if state is S.SENT else state


def test_the_table_says_something_for_every_state_and_everything_that_happens() -> None:
    assert set(LIFECYCLE) == {(state, what) for state in OrderState for what in Happening}


@pytest.mark.parametrize("what", list(Happening))
def test_each_cell_follows_from_a_sentence(what: Happening) -> None:
    assert {state: LIFECYCLE[state, what] for state in OrderState} == {state: expected(state, what) for state in OrderState}
