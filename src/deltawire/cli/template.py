"""The texts of a new config.yaml and .env: for the venues, for their testnets, or for simulators that run here."""

from dataclasses import dataclass
from string import Template

from deltawire.venues.vest.settings import PRODUCTION_CONTRACT


@dataclass(frozen=True, slots=True)
class Values:
    """What differs between one new folder and another. The defaults: paper on the venues' live data."""

    mode: str = "paper"
    paradex_rest_url: str = "https://api.prod.paradex.trade/v1"
    paradex_ws_url: str = "wss://ws.api.prod.paradex.trade/v1"
    vest_rest_url: str = "https://server-prod.hz.vestmarkets.com/v2"
    vest_ws_url: str = "wss://ws-prod.hz.vestmarkets.com/ws-api?version=1.0"
    vest_contract: str = PRODUCTION_CONTRACT
    ca_line: str = "# ca_file: ca.pem             # trust this certificate authority instead of the system's"
    size: str = "0.01"
    size_min: str = "0.001"
    entry_edge_bps: str = "3"
    exit_spread_bps: str = "2"
    max_hold_s: str = "3600"
    confirm_updates: str = "2"
    cooldown_ms: str = "5000"
    order_notional_max_usd: str = "2000"
    daily_loss_max_usd: str = "50"
    socket: str = "deltawire.sock"


PAPER = Values()
LIVE = Values(mode="live")
# Paradex protocol reference, section 1; Vest API v2 notes, section 1: its development host and contract.
TESTNET = Values(
    mode="testnet",
    paradex_rest_url="https://api.testnet.paradex.trade/v1",
    paradex_ws_url="wss://ws.api.testnet.paradex.trade/v1",
    vest_rest_url="https://server-dev.hz.vestmarkets.com/v2",
    vest_ws_url="wss://ws-dev.hz.vestmarkets.com/ws-api?version=1.0",
    vest_contract="0x8E4D87AEf4AC4D5415C35A12319013e34223825B",
)
PRESETS = {"paper": PAPER, "testnet": TESTNET, "live": LIVE}


def config_text(values: Values) -> str:
    """Return a whole config.yaml with a comment for each choice."""
    return _CONFIG.substitute({name: getattr(values, name) for name in Values.__slots__})


def env_text(paradex_account: str, paradex_private_key: str, vest_address: str, vest_private_key: str) -> str:
    """Return a whole .env. Its file must be readable by its owner alone."""
    return _ENV.substitute(
        paradex_account=paradex_account,
        paradex_private_key=paradex_private_key,
        vest_address=vest_address,
        vest_private_key=vest_private_key,
    )


_CONFIG = Template("""\
# deltawire settings. Wrong values and unknown keys are refused with their line, the reason and the remedy.
# Keys and accounts do not belong here: they are read from the environment or from .env beside this file.
# Relative paths start at this file's folder.

# paper: live public data, orders filled here; needs no account, costs nothing. testnet: orders with the venues' play
# money. live: real orders, real money; `deltawire run --live` the first time.
mode: $mode

venues:
  paradex:
    # The testnet: https://api.testnet.paradex.trade/v1 and wss://ws.api.testnet.paradex.trade/v1
    rest_url: $paradex_rest_url
    ws_url: $paradex_ws_url
    $ca_line
    recv_window_ms: 1500       # the venue drops an order that reaches it later than this after its signature
    # pro: no delay and Pro fees, read at start. retail: no fee, but the venue holds each order and each cancel, exits
    # included, for 300 ms, and takes 3 a second, 30 a minute, 300 an hour and 1000 a day; entries stop shortly before,
    # for past that they are Pro orders with Pro fees. Retail orders also reach liquidity that Pro orders do not see.
    # by_edge: a connection of each. An entry is retail, and goes before Vest's, where edges have been lasting long
    # enough that waiting costs less than the fee; all else is pro. Paper trading takes by_edge as pro.
    order_class: pro
    book_feed: deltas          # deltas: every change; snapshot: 15 levels every 50 ms; interactive: retail's view
    order_connections: 1       # up to 4 order sockets, over whatever nodes the venue has; the nearest carries orders
    feed_connections: 1        # up to 4 sockets with the same market data; the first copy of a frame wins
    sbe: true                  # false asks for JSON instead of binary frames, where an environment still has them
    state_poll_s: 5            # how often the venue is asked whether it trades normally; if not, no entries
    release_ahead_s: 60        # entries stop so long before its releases, weekdays at 04:30 UTC
  vest:
    # Development: https://server-dev.hz.vestmarkets.com/v2 and wss://ws-dev.hz.vestmarkets.com/ws-api?version=1.0
    rest_url: $vest_rest_url
    ws_url: $vest_ws_url
    $ca_line
    # The contract a registration is signed for. Development: 0x8E4D87AEf4AC4D5415C35A12319013e34223825B
    verifying_contract: $vest_contract
    recv_window_ms: 1500       # for what opens a position: an entry must die when it is late
    exit_recv_window_ms: 3000  # for what closes one: late is better than not at all
    order_style: market        # market, limit_fok, or limit_ioc (the venue does not document IOC)
    # leverage: 10             # set at start on every market below; left out, the account's own stays
    send_reduce_only: false    # mark closes as reduce-only; the venue was seen to refuse that, so try it first
    # ws_headers:              # for the sockets' handshake, should the venue's edge want a browser's
    #   User-Agent: Mozilla/5.0
    #   Origin: https://vestmarkets.com
    fill_poll:                 # an order whose end the private stream has not told is read over REST
      after_ms: 800            # so long after its acknowledgement
      interval_ms: 500
      tries: 6                 # then it is in doubt
    pool:                      # warm HTTPS connections that carry the orders
      connections: 2           # one for an order, one for a repair behind it
      keepalive_s: 10          # an idle connection is used once in this time, so that it stays open
      connect_timeout_s: 5
      request_timeout_s: 3
      tcp_keepalive_s: 30      # idle time after which the kernel probes the path
      dns_cache_s: 60          # how long the venue's addresses are used before they are asked for again

pairs:
  - id: BTC                    # yours; part of every order id, so keep it short
    legs:
      paradex: BTC-USD-PERP
      vest: BTC-PERP
    size: $size                # the most one entry takes on each leg, in base units
    size_min: $size_min        # the least worth entering with
    # Enter when the spread, less both fees in and out and every cost below, leaves at least this many basis points.
    entry_edge_bps: $entry_edge_bps
    # Close when closing both legs costs no more than this. It is also the exit cost an entry reckons with.
    exit_spread_bps: $exit_spread_bps
    confirm_updates: $confirm_updates          # book updates in a row above the threshold before an entry
    confirm_ms: 0              # and for at least this long
    max_hold_s: $max_hold_s           # close after this long, whatever the spread
    cooldown_ms: $cooldown_ms          # no entries so long after a given-back trade; doubled by each more in a row
    max_slippage_bps: 2        # how far past the seen price an order's cap may lie
    funding_bps: 0             # expected funding over the hold; negative is received
    funding_hour_bps_max: 5    # funding both legs together may cost an hour; above it no entry, and what is open closes
    basis_bps: 0               # Paradex quotes USD, Vest USDC: what the difference may cost
    margin_bps: 0              # safety margin for slippage
    layers: 1                  # entries that may be open together, each closed by itself
    layer_step_bps: 5          # each further one needs so much more edge than the one before
    leg_order: both            # both at once, or harder_first: the thinner side alone, the other for what it filled

limits:                        # every order passes these; closing and hedging are never held up by entry limits
  order_notional_max_usd: $order_notional_max_usd
  daily_loss_max_usd: $daily_loss_max_usd    # at it entries stop and what is open is closed; so at the next two
  drawdown_max_usd: 1000       # from the highest result of this journal
  liquidation_bps_min: 500     # a position nearer to its liquidation price than this closes its pair
  inventory_max_usd: 100000    # notional on one venue, all pairs together
  free_margin_bps_min: 1000    # free collateral of equity on each venue, under which nothing is opened
  edge_bps_max: 300            # an edge beyond this is a wrong book, not a gift
  open_pairs_max: 1
  orders_per_minute_max: 120
  quote_age_ms_max:            # an older book allows no entry
    paradex: 1500
    vest: 1500
  position_age_ms_max: 10000   # a pair that moved at every look at its positions for so long pauses for one
  book_spread_bps_max: 20      # a wider book allows no entry
  clock_offset_ms_max: 500     # this machine's clock further off a venue's allows no entry; keep it synchronised
  max_unhedged_ms: 5000        # one leg alone for longer than this is an alarm
  max_repairs: 2               # tries to fill the missing leg before the other one is given back
  reply_timeout_ms: 1500       # without an answer by then, an order is in doubt and is looked up
  emergency_slippage_bps: 50   # the wider, still finite cap of a repair's last resort and of an unwind

journal:
  # The durable record; one bot a folder. This is where mode live keeps it: paper and testnet have folders of their own
  # beside it, journal-paper and journal-testnet, so that play money never counts as money.
  dir: journal
  # Tables for questions, in PostgreSQL instead of SQLite beside the record; kept up to date by `deltawire project
  # --follow`. The password is read from PGPASSWORD or ~/.pgpass. Mode live only.
  # url: postgresql://me@db.example/trading
paper:                         # the accounts of mode paper, as they are when their journal is begun
  equity_usd: 10000            # on each venue
  leverage: 10
control:
  socket: $socket       # where `deltawire status` and its like reach the running bot
latency:
  # Orders are signed ahead, and renewed, while the spread is within so much of what it needs; signed at the trigger
  # they cost a millisecond then. Each pair near its edge costs a percent of a CPU and some lines of journal a second.
  presign_within_bps: 50
  # true: the loop spins instead of sleeping until a frame comes. Some 45 us faster on a virtual machine, and one core
  # busy for ever: only with a core to spare, or it slows the signer and the kernel's network work.
  never_sleep: false
  # cpu: 3                     # runs the loop on this CPU only; keep everything else off it (isolcpus, cpusets)
guardian:                      # `deltawire guardian`, a second process with keys of its own
  silent_s: 15                 # a bot silent for so long is given up, and what is on is closed
log:
  file: deltawire.log.jsonl    # one JSON object a line
  format: human                # of the lines on the screen: human or json
  level: info                  # debug, info or warning, on the screen; the file has info at least
  max_mb: 50                   # a full file becomes .1, the older ones move up
  keep: 5                      # and so many of them stay
alerts:                        # `deltawire alert run`; where they go: DELTAWIRE_ALERT_URLS in .env
  repeat_s: 900                # the same trouble is told again after so long
  per_hour_max: 30             # more messages than this in an hour are summed up in one
  bot_silent_s: 10             # a bot that does not answer for so long is told; the guardian acts after its own time
  venue_down_s: 30             # a venue that takes no orders
  feed_stale_s: 30             # a book without a frame
  free_margin_bps: 2000        # less free collateral than this share of equity on a venue
  heartbeat_s: 86400           # a message that somebody is watching; its absence tells you that nobody is
# metrics:
#   port: 9464                 # where `deltawire metrics` answers Prometheus, on this machine only
""")

_ENV = Template("""\
# Accounts and keys of the bot. Mode paper needs none. Only you may read this file: chmod 600 .env
# Looked for in this order: the environment, systemd credentials of these names, this file, the system's keyring.
# The keyring is asked only when this names the service its entries stand under:
# DELTAWIRE_KEYRING=deltawire

# Paradex: the account's address and its (sub)key, each 0x and hex digits.
DELTAWIRE_PARADEX_ACCOUNT=$paradex_account
DELTAWIRE_PARADEX_PRIVATE_KEY=$paradex_private_key

# Vest: the primary wallet. Its key signs the registration of a trading key the bot makes for itself.
DELTAWIRE_VEST_PRIMARY_ADDRESS=$vest_address
DELTAWIRE_VEST_PRIMARY_PRIVATE_KEY=$vest_private_key

# Where alerts go, parted by spaces: docs/alerts.md. Such a URL holds a password or token, so it is a secret too.
# DELTAWIRE_ALERT_URLS=tgram://bot-token/chat-id mailto://user:password@mail.example
""")
