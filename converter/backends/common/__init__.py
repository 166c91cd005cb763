"""What the backends of several languages share."""
