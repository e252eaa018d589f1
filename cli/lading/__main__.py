"""What `python -m lading` runs."""

from __future__ import annotations

from lading.commands import main

if __name__ == "__main__":
    main()
