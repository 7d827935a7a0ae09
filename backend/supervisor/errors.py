"""What stops a start."""


class UpError(Exception):
    """One line for the person at the terminal."""
