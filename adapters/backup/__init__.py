"""Backups: the log, its keys, what is neither replayed nor worked out, and files; never the read models."""
