"""Pages for people: landing, log-in, consent."""
