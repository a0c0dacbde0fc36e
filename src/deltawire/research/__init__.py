"""Questions about trading that need a whole market, not a stopwatch. Knows bot, simulators and the virtual clock."""
