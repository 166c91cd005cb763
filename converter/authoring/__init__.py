"""Help for authors of rules and pipelines."""
