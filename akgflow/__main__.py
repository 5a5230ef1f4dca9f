"""``python -m akgflow`` is the ``akgflow`` command."""

from akgflow.cli import main

if __name__ == "__main__":
    main()
