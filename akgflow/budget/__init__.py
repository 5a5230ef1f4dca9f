"""What a run may spend and has spent: tokens, dollars, wall time and device time."""
