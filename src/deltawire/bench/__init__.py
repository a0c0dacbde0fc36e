"""Benchmarks of `deltawire bench`: cases interleaved in one run, every answer checked, figures with their settings.

They print what this machine did; they promise nothing about a venue, and no test holds them to a number.
"""
