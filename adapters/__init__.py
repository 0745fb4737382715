"""The outside world: every driver import lives here."""
