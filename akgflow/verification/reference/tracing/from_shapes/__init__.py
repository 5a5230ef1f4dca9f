"""What an operator does, from shapes alone: nothing of its size is allocated. Judge only."""
