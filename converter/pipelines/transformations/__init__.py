"""The transformations that pipeline files may name, by subject."""
