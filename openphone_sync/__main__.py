"""``python -m openphone_sync``."""

from openphone_sync.cli import main

main()
