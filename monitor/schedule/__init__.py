"""The scheduler: which slots are owed, who works on them, and what is told of them. The ledger is the truth."""
