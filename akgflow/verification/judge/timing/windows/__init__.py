"""Windows of a timing: what is asked in them, the processes that answer, and reading and checking the answers."""
