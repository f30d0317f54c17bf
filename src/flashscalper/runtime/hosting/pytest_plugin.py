"""`pip install flashscalper[testing]`: pytest fixtures around a simulated Paradex, for bots written in anything.

Pytest loads it for every run in an environment that has FlashScalper: nothing heavy is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flashscalper.runtime.hosting.hosted import HostedParadex

MARKER = "paradex_sim"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{MARKER}(markets=..., seed=..., balance=..., rules=..., settings=...): what the exchange is like"
    )


@pytest.fixture
def paradex_sim(request: pytest.FixtureRequest) -> Iterator[HostedParadex]:
    """A simulated Paradex on a free port, for this test alone; see `flashscalper.runtime.hosting.hosted.HostedParadex`.

    The marker `paradex_sim` turns its switches: `@pytest.mark.paradex_sim(balance=500, settings={"require_sbe": True})`.
    """
    from flashscalper.runtime.hosting.hosted import HostedParadex  # noqa: PLC0415 - see the module's first lines

    marker = request.node.get_closest_marker(MARKER)
    with HostedParadex(**(marker.kwargs if marker else {})) as exchange:
        yield exchange
