"""One function for each use case, above the ports and below the command line."""
