"""The collector during trading: what was there is frozen, and everything is as before afterwards."""

from __future__ import annotations

import gc

import pytest

from flashscalper.runtime.collecting import YOUNG, rare_collections


def test_what_was_there_before_is_not_walked_over_again() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_freeze_count() > 1_000
        assert gc.get_threshold()[0] == YOUNG
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_an_error_inside_leaves_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), rare_collections():
        raise RuntimeError("a defect")
    assert gc.get_threshold() == before
