"""The web page of a running or a finished bot, served by a process of its own.

It reads the journal and asks the control socket what `deltawire status` asks; the bot knows nothing of it and waits for
nothing here. Decides nothing, holds no key, keeps nothing on disk. What each file does:

    bot       one question to the control socket, one answer
    history   the last minutes of books and spreads, in memory
    ledger    what the journal says, as the page shows it
    watch     asks and reads again and again, and tells the hub
    hub       the newest of everything to every open page; a slow page misses some, and delays nobody
    door      who may come in: token, session, Host, Origin, headers
    app       the addresses; serve: the process
"""
