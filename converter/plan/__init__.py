"""What a backend is given: conditions, correlations, columns, and what a query loses."""
