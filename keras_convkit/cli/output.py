"""Standard output, for what the commands print at their end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# More than the widest table takes.
WIDE = 200


def console() -> Console:
    """Prints tables; in a file or a pipe, which have no width, nothing is cut off."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE)
