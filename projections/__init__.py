"""What can be asked: read models as SQL text over facts; nothing is run here."""
