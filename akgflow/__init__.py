"""akgflow: a declarative YAML task runner for compute kernels."""

__version__ = "0.1.0"
