"""One rule in one cell, converted, explained and listed."""
