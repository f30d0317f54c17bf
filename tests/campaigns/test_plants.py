"""Mistakes that others made, planted one by one: a storm that does not notice one within 500 seeds fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns.plants import PLANTS, Loader, Plant, Swap

ROOT = Path(__file__).resolve().parents[2]


def source_of(module: str) -> str:
    return (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text()


def test_there_are_twenty_plants_and_more_with_names_of_their_own() -> None:
    assert len({one.name for one in PLANTS}) == len(PLANTS) >= 20


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name.replace(" ", "-"))
def test_a_plant_still_applies(plant: Plant) -> None:
    sources = {swap.module: source_of(swap.module) for swap in plant.swaps}
    for swap in plant.swaps:
        assert sources[swap.module].count(swap.old) == 1, f"{swap.old!r} in {swap.module}"
        sources[swap.module] = sources[swap.module].replace(swap.old, swap.new)
    for module, source in sources.items():
        compile(source, module, "exec")


def test_a_plant_whose_text_is_gone_fails() -> None:
    module = "flashscalper.trading.fold"
    loader = Loader(module, str((ROOT / "src" / Path(*module.split("."))).with_suffix(".py")))
    loader.swaps = (Swap(module, "a sentence that nobody wrote", ""),)
    with pytest.raises(LookupError, match="no longer applies"):
        loader.get_code(module)


@pytest.mark.verify
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name.replace(" ", "-"))
def test_the_storm_notices_a_planted_mistake(plant: Plant) -> None:
    command = [sys.executable, "-m", "tests.campaigns.plants", plant.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1_100, check=False)
    assert done.returncode == 0, done.stdout[-600:] + done.stderr[-600:]
    assert "notices" in done.stdout
