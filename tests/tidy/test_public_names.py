from __future__ import annotations

import subprocess
import sys

import pytest

import flashscalper


@pytest.mark.parametrize("name", flashscalper.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(flashscalper, name) is not None
    assert name in dir(flashscalper)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Exchange'"):
        flashscalper.Exchange  # noqa: B018


def test_importing_the_package_imports_no_room() -> None:
    code = "import sys, flashscalper; print(sorted(name for name in sys.modules if name.startswith('flashscalper.')))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
