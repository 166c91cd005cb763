"""sigconv: Sigma rules in, SIEM queries out, each query proven to select what the rule means."""

__version__ = "0.1.0"
