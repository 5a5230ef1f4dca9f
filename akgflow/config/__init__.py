"""Strict YAML with positions -> validated -> frozen values."""
