"""The machine around a run: schedule, alerts, log, lock, files."""
