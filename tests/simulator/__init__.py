"""Random histories of an office, a workspace and a program that dies, on a virtual clock; a seed replays any of them.

``./dev simulate --seeds 1000``. Nothing here waits for real time, opens a socket or asks for chance: the whole of `run/`
works in one process on a real state file, one thread at a time, and the seed chooses who goes on.
"""
