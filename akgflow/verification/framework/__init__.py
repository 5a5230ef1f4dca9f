"""Who did the work: the candidate's DSL, or the framework and its libraries in its place."""
