"""Keeps OpenPhone (Quo) contacts in step with a Postgres client table."""
