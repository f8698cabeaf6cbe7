"""One run, in files in the order of use."""
