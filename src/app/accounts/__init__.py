"""Accounts: who may come in, by what, and what they may do there. docs/accounts.md explains it."""
