"""Prompt templates: what they may name, and what can be said about them before a run."""
