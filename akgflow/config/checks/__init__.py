"""Rules that a schema cannot say: names that must exist, files that must be what they should be."""
