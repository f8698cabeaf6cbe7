"""Operations: schedule, alerts, log, redaction, lock, files, HTTP."""
