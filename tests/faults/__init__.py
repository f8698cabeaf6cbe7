"""Breaking things on purpose: `python -m tests.faults` is the long suite, `tests/system/test_faults.py` a part of it."""
