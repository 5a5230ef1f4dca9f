"""Judging: a judge that never imports a candidate, and a candidate process that decides nothing."""
