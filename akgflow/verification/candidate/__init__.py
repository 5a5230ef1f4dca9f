"""The untrusted process: loads a candidate and calls it. It decides nothing, and nothing it says helps it."""
