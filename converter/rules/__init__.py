"""Rules: found, loaded, checked, filtered and selected."""
