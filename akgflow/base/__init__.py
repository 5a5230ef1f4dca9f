"""What every part stands on: files, streams, texts, the machine. Knows nothing of tasks, kernels or models."""
