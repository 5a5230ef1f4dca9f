"""Terminal tables and lines."""
