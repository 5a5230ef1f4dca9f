"""The untrusted side: loads a candidate and calls it. It decides nothing, and nothing it says counts in its favour."""
