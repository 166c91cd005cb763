"""MITRE ATT&CK: tactics and techniques by tag."""
