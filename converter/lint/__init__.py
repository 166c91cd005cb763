"""What `sigconv check` finds in rules that load: mistakes that no converter would tell its user."""
