"""The sizes of an operator's inputs: which there are, which a kernel must serve, and the same operator with others."""
