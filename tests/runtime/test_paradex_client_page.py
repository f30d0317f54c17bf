"""The reference page of the clients names what is there, and all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient
from tests.shared import shared_spec

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "paradex-client.md"
OF_THE_OBJECT = {"close", "connect", "disconnect", "for_environment", "from_env", "on", "off", "settings", "connected"}
FIGURES = {"round_size", "format_size"}


@pytest.mark.parametrize(("heading", "client"), [("## REST", ParadexRestClient), ("## WebSocket", ParadexWebSocketClient)])
def test_the_page_names_every_method_and_no_other(heading: str, client: type) -> None:
    section = PAGE.read_text().split(heading)[1].split("\n## ")[0]
    mentioned = set(re.findall(r"`(\w+)`", section))
    public = {name for name in dir(client) if not name.startswith("_")} - OF_THE_OBJECT - FIGURES
    named = {
        name for name in mentioned if re.match(r"(get|iter|place|cancel|modify|set|subscribe|create|revoke|order_e)_?", name)
    }
    assert public - mentioned - {"unsubscribe", "order_book"} == set()
    assert {name for name in named if not hasattr(client, name)} == set()


def test_every_endpoint_of_the_page_is_one_of_the_openapi_file() -> None:
    documented = set(json.loads(shared_spec("paradex-openapi.json").read_text())["paths"])
    shapes = {re.sub(r"{\w+}", "{}", path) for path in documented} | {"/account/margin", "/orders/{}"}
    section = PAGE.read_text().split("## REST")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    paths = {re.sub(r"{\w+}", "{}", path) for row in rows for path in re.findall(r"(/[\w/{}-]+)", row)}
    assert len(paths) > 25
    assert paths <= shapes
