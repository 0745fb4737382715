"""ActivityPub on the wire: translation, signatures, fetching."""
