"""What an agent finds that works in a folder: its task, and a way to ask the judge that its run uses."""
