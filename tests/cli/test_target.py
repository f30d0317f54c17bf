from __future__ import annotations

from flashscalper.cli.target import Target
from tests.exchanges.paradex.bench import settings

KEY = "0x0123456789abcdef"


def test_what_is_shown_of_a_target_names_its_variables_and_not_their_values() -> None:
    target = Target(settings(), {"PARADEX_SECRET_KEY": KEY, "DATABASE_URL": f"postgresql://me:{KEY}@x/y"}, by_url=False)
    for text in (repr(target), f"{target}", str([target])):
        assert KEY not in text
        assert "PARADEX_SECRET_KEY" in text
        assert "ws://127.0.0.1:8787" in text
