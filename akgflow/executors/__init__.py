"""Where judging happens: in slots on this machine, or on the nodes of a Ray cluster."""
