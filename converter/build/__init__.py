"""A build: all rules in all cells, the files to write and what earlier builds worked out."""
