"""CUDA C++ as text: what is in it, and how a C++ compiler can read it."""
