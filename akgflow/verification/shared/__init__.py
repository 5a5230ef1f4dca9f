"""What judge and candidate process have in common: messages, memory, and what the framework may do."""
