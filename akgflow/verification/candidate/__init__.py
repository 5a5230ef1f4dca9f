"""The untrusted process: loads a candidate and calls it. It decides nothing, and its word never counts in its favour."""
