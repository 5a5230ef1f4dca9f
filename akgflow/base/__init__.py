"""Files, streams, texts and the machine, for every part. Knows nothing of tasks, kernels or models."""
