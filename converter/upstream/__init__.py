"""Queries of pySigma's own backends, run on the engines beside ours."""
