"""The two systems: transaction (ledger and the modules around it) and security (risk)."""
