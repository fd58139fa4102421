"""I/O: a package a provider. Reads, captures, decodes, and reports coverage."""
