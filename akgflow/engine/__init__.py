"""Plan execution."""
