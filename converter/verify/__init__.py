"""Proof: run what was emitted, and compare what it selects with what the reference matcher selects."""
