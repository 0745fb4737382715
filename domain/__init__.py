"""What happened and what may happen: pure decisions over events."""
