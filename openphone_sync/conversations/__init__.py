"""Everything about stored conversations but SQL."""
