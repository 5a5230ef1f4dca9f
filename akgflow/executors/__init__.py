"""Where judging happens: local device slots; elsewhere later."""
