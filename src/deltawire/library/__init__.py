"""What other programs may build on; `import deltawire` gives it. Everything else in the package may change at any time.

`bot` runs a bot, `venue` uses one venue's adapter alone. Both put together parts that are there; neither decides.
"""
