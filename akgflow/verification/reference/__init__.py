"""What the answer must be: the operator, its secret inputs, the float64 oracle and how wrong an answer may be."""
