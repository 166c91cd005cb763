"""Pipelines: from a rule to what a backend is given, for one source in one language."""
