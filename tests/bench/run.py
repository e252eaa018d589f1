"""What `make bench` runs: the measurements that README.md explains, as one report on stdout."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    # A script finds what is beside it, but not what is beside its repository's `tests`.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    # Who has installed a package has its bytecode too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    from tests.bench.report import print_report

    print_report()


if __name__ == "__main__":
    main()
