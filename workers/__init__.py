"""What runs behind: command line, projector, supervisor."""
