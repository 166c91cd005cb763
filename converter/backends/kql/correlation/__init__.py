"""Correlations in KQL."""
