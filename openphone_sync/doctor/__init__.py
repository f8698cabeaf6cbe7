"""``test-connection``: what is wrong, and how to fix it."""
