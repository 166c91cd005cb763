"""Detection rules of Elastic Security."""
