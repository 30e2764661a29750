"""Accounts in a transaction: what the ledger reads, decides and writes in one commit of the log."""
