"""A seeded generator of CloudTrail traffic: the example organisation, and bulk traffic of any size.

It shares no code with the reader: what it writes is built from AWS's own documentation, so that a mistake in the decoder is
not made twice.
"""
