"""Providers on this machine: people and scripts through files, and command-line agents."""
