"""What an operator does, seen from one call: its work, its features, what it takes of memory. Judge only."""
