"""Deterministic fault runs: the bot, both venues and the network between them in one process on a virtual clock.

A seed draws the market, the delays and the faults; the same seed gives the same run, byte for byte. Nothing of the bot
is replaced but the sockets under its connections, the disk under its journal, and time.
"""
