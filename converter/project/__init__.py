"""The project's settings, and what counts as one id in it."""
