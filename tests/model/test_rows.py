from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.orders import Side
from flashscalper.model.rows import PackedStructs

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=8)
TEXTS = st.text(max_size=30)
FILLS = st.builds(
    Fill, id=TEXTS, kind=st.sampled_from(FillKind), order_id=TEXTS, client_id=TEXTS, symbol=st.just("ETHUSDT"),
    side=st.sampled_from(Side), liquidity=st.sampled_from(Liquidity), price=AMOUNTS, size=AMOUNTS, fee=AMOUNTS,
    realized_pnl=st.none() | AMOUNTS, funding=st.none() | AMOUNTS, remaining=st.none() | AMOUNTS,
    flags=st.lists(st.text(max_size=5), max_size=2).map(tuple), filled_at=st.integers(0, 2**62),
)  # fmt: skip


@given(st.lists(FILLS, max_size=5))
def test_what_is_packed_comes_back_as_it_was(fills: list[Fill]) -> None:
    packed = PackedStructs(Fill, 10)
    for fill in fills:
        packed.append(fill)
    assert list(packed) == fills
    assert [repr(fill) for fill in packed] == [repr(fill) for fill in fills]


def test_of_too_many_the_oldest_fall_out() -> None:
    packed = PackedStructs(Fill, 3)
    one = Decimal(1)
    for number in range(5):
        packed.append(
            Fill(
                id=str(number), order_id="", client_id="", symbol="ETHUSDT", side=Side.BUY, liquidity=Liquidity.TAKER,
                price=one, size=one, fee=one, filled_at=number,
            )
        )  # fmt: skip
    assert len(packed) == 3
    assert [fill.id for fill in packed] == ["2", "3", "4"]
