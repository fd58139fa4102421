"""Frozen records of what *is*, decoded from a source. No provider's vocabulary leaks above this room."""
