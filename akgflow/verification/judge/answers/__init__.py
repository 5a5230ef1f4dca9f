"""What a call leaves in memory: where its inputs and answers lie there, and what else it changed."""
