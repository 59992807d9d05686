"""Telling others what was found: webhooks, Atom feeds, and the round that delivers what is in the outbox."""
