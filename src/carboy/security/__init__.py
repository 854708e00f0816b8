"""Passwords, tokens, one-time codes, encryption, and who acts: the mechanism, without tables or routes."""
