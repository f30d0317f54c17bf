"""Paint the README's picture: the live view in the middle of a demo run, as SVG.

Example: python scripts/picture.py docs/images/demo.svg
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from flashscalper.cli.demo import STARTED_AT, Demo, DemoOptions
from flashscalper.cli.feeds import open_synthetic
from flashscalper.cli.live_view import PlainView, ViewFrame, picture
from flashscalper.runtime.artifacts import RunArtifacts

SEED = 7
SHOWN_AT_S = 400.0


class Camera(PlainView):
    """Keeps the first picture after the chosen moment that has open positions."""

    def __init__(self) -> None:
        super().__init__(None)
        self.taken: Any = None

    def show(self, frame: ViewFrame) -> None:
        if (
            self.taken is None
            and frame.elapsed_s >= SHOWN_AT_S
            and sum(m.position is not None for m in frame.status.markets) > 2
        ):
            self.taken = picture(frame)


def main() -> None:
    camera = Camera()
    with tempfile.TemporaryDirectory() as folder:
        options = DemoOptions.parse(
            seconds=600, speed="max", feed="synthetic", seed=SEED, markets="", interval="5s", runs=Path(folder), json=True
        )
        feed = open_synthetic(seed=SEED, symbols=(), started_at=STARTED_AT)
        Demo(options, feed, STARTED_AT, camera).run(RunArtifacts("picture", Path(folder)))
    console = Console(record=True, width=170, file=io.StringIO(), force_terminal=True)
    console.print(camera.taken)
    svg = console.export_svg(title="flashscalper demo")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # a picture that asks nothing of the network
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    Path(sys.argv[1]).write_text(re.sub(r"\n\s*\n", "\n", svg))


if __name__ == "__main__":
    main()
