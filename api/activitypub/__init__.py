"""Inboxes and the documents that other servers fetch."""
