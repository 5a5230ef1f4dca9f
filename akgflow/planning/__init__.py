"""Task to plan: pure, printable, hashable."""
