"""Requests in, rows out."""
