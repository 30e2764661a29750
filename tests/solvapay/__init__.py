"""A real client of the contract, unchanged, against a real server: what it does with us must work."""
