"""The OpenPhone (Quo) v1 API: the only package that speaks HTTP to it."""
