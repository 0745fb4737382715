"""Interpretation, the first projection: what the log's events mean, settled in order, as facts."""
