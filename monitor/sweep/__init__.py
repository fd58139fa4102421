"""The use case: collect, evaluate, seal, record. Knows ports, not vendors."""
