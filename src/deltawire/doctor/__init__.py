"""`deltawire check`: looks at settings, machine, venues and accounts, and says of each what is wrong and what helps."""
