"""`sigconv report`: rules, queries, coverage, explanations and tests as pages that need no network."""
