"""Claims about speed, each measured as a ratio against a peer in the same run."""
