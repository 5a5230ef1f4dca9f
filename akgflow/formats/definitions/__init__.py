"""Definitions, workloads and solutions: what SOL-ExecBench and flashinfer-trace have in common."""
