"""Prompt rendering and reply parsing."""
