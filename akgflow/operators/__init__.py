"""An operator as text and as a module: what its text consists of, what it imports, what it is called with."""
