"""Correlations in SPL."""
