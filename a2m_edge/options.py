"""Options that commands of several rooms share."""

from __future__ import annotations

from typing import Annotated

import typer

Force = Annotated[
    bool, typer.Option("--force", help="Replace files too that a2m-edge did not write, or that were edited since.")
]
