"""`flashscalper check --probe`: asks a testnet or a simulator what the documents leave open, and writes a field report.

It takes a minute or two, places orders of the smallest size far from the market, and holds the smallest position for some
seconds. What it placed it cancels; a position that was there before is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from flashscalper import __version__
from flashscalper.cli.checking import probes_orders, probes_position, probes_streams
from flashscalper.cli.checking.field_report import Answer, FieldReport, redacted, write_report
from flashscalper.cli.checking.probe_bench import ProbeBench
from flashscalper.cli.checking.probes_orders import Found
from flashscalper.cli.table import text_table
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.market.symbols import DEFAULT_SYMBOLS
from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.live import run_loop

_RULES: Final = "ExchangeRules"
_SERVER: Final = "ServerSettings"


class Probe(NamedTuple):
    """One open point: where the protocol page leaves it open, what is asked, which switch it sets, what asks it."""

    point: str
    section: str
    question: str
    room: str
    ask: Callable[[ProbeBench], Awaitable[Found]]

    @property
    def switch(self) -> str:
        """The simulator's setting, empty when there is none."""
        return f"{self.room}.{self.point}" if self.room else ""


PROBES: Final = (
    Probe("auth_expiration_default_s", "2.6", "Which life does a login have that does not name its end?", "",
          probes_orders.auth_without_expiration),
    Probe("token_types", "2.8", "Which values does token_type take?", "", probes_orders.token_types),
    Probe("digits_beyond_the_eighth", "3.1", "Are digits beyond the eighth cut off or refused?", "",
          probes_orders.digits_beyond_the_eighth),
    Probe("kline_volume_unit", "4.2", "Is a kline's volume in base units or in money?", "",
          probes_position.kline_volume_unit),
    Probe("funding_payment_sign", "4.3", "Is a positive funding payment received or paid?", "",
          probes_position.funding_payment_sign),
    Probe("request_info_status", "4.4", "How is the fate of a changed order spelt?", "", probes_orders.request_info_status),
    Probe("max_batch", "6.12", "May a batch have more than ten orders?", _SERVER, probes_orders.batch_limit),
    Probe("disconnect_scope", "5.2", "Whose orders does cancel-on-disconnect take?", _RULES,
          probes_streams.disconnect_scope),
    Probe("disconnect_spares_untriggered", "5.2", "Does cancel-on-disconnect spare untriggered stops?", _RULES,
          probes_streams.disconnect_spares_untriggered),
    Probe("summary_every_us", "5.5", "How often does a market summary come?", _SERVER, probes_streams.summary_cadence),
    Probe("deltas_depth", "5.6", "How deep is the deltas feed?", _SERVER, probes_streams.deltas_depth),
    Probe("deltas_contiguous", "5.6", "Does each delta carry the next number?", "", probes_streams.deltas_contiguous),
    Probe("require_sbe", "5.9", "Is a socket without SBE refused?", _SERVER, probes_streams.require_sbe),
    Probe("private_as_sbe", "5.9", "Are account channels binary on an SBE socket?", _SERVER, probes_streams.private_as_sbe),
    Probe("cancel_reasons", "6.1", "Which words are there for the end of an order?", "", probes_orders.cancel_reasons),
    Probe("client_id_scope", "6.2", "For how long does a client id block its reuse?", _RULES,
          probes_orders.client_id_scope),
    Probe("same_body_twice", "6.2", "Is one signed body taken twice?", "", probes_orders.same_body_twice),
    Probe("late_request", "6.3", "What becomes of an order after its receive window?", "", probes_orders.late_request),
    Probe("reduce_only_counts_untriggered", "6.3", "Do waiting reduce-only stops use up the position?", _RULES,
          probes_position.reduce_only_counts_untriggered),
    Probe("leverage_raises_maintenance", "6.9", "Does lower leverage raise the maintenance margin?", _RULES,
          probes_position.leverage_raises_maintenance),
)  # fmt: skip
"""Every open point that a client can ask about, in the order of the protocol page."""


def probe(target: Target, symbol: str, report_file: Path | None, *, json: bool) -> int:
    """Ask everything, write the report, print it. 0 when every point was answered, else 1."""
    if target.environment is Environment.PROD:
        raise ConfigError("--probe", "prod", "testnet or a simulator: it places orders")
    report = run_loop(run_probes(target, symbol, PROBES))
    file = report_file or Path(f"field-report-{report.environment}-{report.made_at}.json")
    write_report(file, report)
    if json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        rows = [(each.section, each.point, _shown(each), each.evidence) for each in report.answers]
        sys.stdout.write(text_table(("section", "point", "answer", "evidence"), rows) + f"\n\nwritten to {file}\n")
    return int(any(each.value is None for each in report.answers))


async def run_probes(target: Target, symbol: str, probes: tuple[Probe, ...]) -> FieldReport:
    """Ask `probes` one after the other; one that fails is unanswered, with the reason."""
    credentials = target.credentials()
    async with target.rest(credentials) as rest, ParadexRestClient(target.settings, credentials) as client:
        signer = await rest.signer()
        market = await client.get_market(symbol or DEFAULT_SYMBOLS[1])
        bench = ProbeBench(rest, client, market, signer)
        secrets = (signer.account, signer.public_key, credentials.secret_key.reveal() if credentials.secret_key else "")
        try:
            answers = tuple([await _answer(bench, each, secrets) for each in probes])
        finally:
            await bench.end()
    return FieldReport(
        made_at=datetime.now(UTC).date().isoformat(),
        environment=str(target.environment),
        version=__version__,
        market=market.market,
        answers=answers,
    )


async def _answer(bench: ProbeBench, each: Probe, secrets: tuple[str, ...]) -> Answer:
    try:
        await bench.begin()
        value, evidence = await each.ask(bench)
    except FlashScalperError as error:
        value, evidence = None, f"could not be asked: {error}"
    clean = msgspec.json.decode(redacted(msgspec.json.encode(value).decode(), secrets))
    return Answer(
        point=each.point,
        section=each.section,
        question=each.question,
        switch=each.switch,
        value=clean,
        evidence=redacted(evidence, secrets),
    )


def _shown(answer: Answer) -> str:
    if answer.value is None:
        return "?"
    return answer.value if isinstance(answer.value, str) else msgspec.json.encode(answer.value).decode()
