"""The trusted process: holds the secrets and the clock, starts candidates, compares bytes and writes the verdict."""
