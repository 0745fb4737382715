"""Outgoing deliveries: from bytes in the outbox to signed POSTs, whatever they mean."""
