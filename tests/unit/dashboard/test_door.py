"""Web security of the page: one test a rule."""

from pathlib import Path

import pytest
from tests.unit.dashboard.rig import HOST, OURS, TOKEN, Bot, Browser, call, page

from deltawire.core.secret import Secret
from deltawire.dashboard.app import LOGIN_FILES, STATIC
from deltawire.dashboard.door import BAD_TOKENS_MAX, SESSIONS_MAX, Keyring, TooManyWrongTokens, WrongToken

GUARDED = ("/api/events", "/api/page", "/api/history", "/api/run", "/api/trade", "/app.js", "/index.html", "/nowhere")


@pytest.fixture
def stranger(tmp_path: Path) -> Browser:
    return page(tmp_path)


@pytest.fixture
async def friend(tmp_path: Path) -> Browser:
    browser = page(tmp_path)
    await browser.enter()
    return browser


@pytest.mark.parametrize("path", GUARDED)
async def test_nothing_of_the_bot_is_told_without_a_session(stranger: Browser, path: str):
    answer = await stranger.get(path)
    assert answer.status == 401
    assert b"state" not in answer.body


async def test_the_front_page_sends_a_stranger_to_the_login(stranger: Browser):
    answer = await stranger.get("/")
    assert (answer.status, answer.headers["location"]) == (303, "/login")


@pytest.mark.parametrize(
    "cookie", ["deltawire_8710=", "deltawire_8710=guessed", "other=x", "deltawire_8711=x", "\xff=\xff"]
)
async def test_a_cookie_that_opened_nothing_opens_nothing(stranger: Browser, cookie: str):
    assert (await stranger.get("/api/page", cookie=cookie)).status == 401


async def test_the_token_opens_a_session(friend: Browser):
    assert (await friend.get("/api/page")).status == 200
    assert b"<main" in (await friend.get("/")).body


async def test_the_cookie_is_for_no_script_and_no_other_site(stranger: Browser):
    answer = await stranger.post("/login", {"token": TOKEN})
    words = answer.headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=strict" in words
    assert TOKEN not in words, "the cookie is not the token"
    assert answer.json["key"] not in words, "the cookie is not the key"


@pytest.mark.parametrize("body", [{"token": "wrong"}, {"token": TOKEN + "x"}, {"token": TOKEN[:-1]}, {"token": ""}])
async def test_a_wrong_token_opens_nothing(stranger: Browser, body: object):
    answer = await stranger.post("/login", body)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [{"token": None}, {"token": ["x"]}, {}, [], b"{", b"\xff", b"x" * 5000])
async def test_a_login_that_is_none_is_told_so(stranger: Browser, body: object):
    assert (await stranger.post("/login", body)).status == 400


async def test_after_some_wrong_tokens_none_is_listened_to(stranger: Browser):
    for _ in range(BAD_TOKENS_MAX):
        assert (await stranger.post("/login", {"token": "guess"})).status == 401
    answer = await stranger.post("/login", {"token": TOKEN})
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0


def test_the_limit_on_wrong_tokens_passes_and_spares_open_sessions():
    now = [0.0]
    keyring = Keyring(Secret(TOKEN), now_s=lambda: now[0])
    session = keyring.open(TOKEN)
    for _ in range(BAD_TOKENS_MAX):
        with pytest.raises(WrongToken):
            keyring.open("guess")
        now[0] += 1
    with pytest.raises(TooManyWrongTokens):
        keyring.open(TOKEN)
    assert keyring.knows(session.cookie.reveal())
    now[0] = 61.0
    assert keyring.knows(keyring.open(TOKEN).cookie.reveal())


def test_a_slow_guesser_is_let_try_and_the_newest_sessions_are_kept():
    now = [0.0]
    keyring = Keyring(Secret(TOKEN), now_s=lambda: now[0])
    sessions = [keyring.open(TOKEN) for _ in range(SESSIONS_MAX + 1)]
    assert not keyring.knows(sessions[0].cookie.reveal())
    assert all(keyring.knows(session.cookie.reveal()) for session in sessions[1:])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8710",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "a b",
        "127.0.0.1:x",
    ],
)
@pytest.mark.parametrize("path", ["/login", "/", "/api/page"])
async def test_a_name_rebound_to_loopback_is_refused(friend: Browser, host: str, path: str):
    assert (await friend.get(path, host=host)).status == 421


@pytest.mark.parametrize("host", ["localhost:8710", "127.0.0.1:9999", "[::1]:8710", "LOCALHOST"])
async def test_loopback_names_are_let_in_whatever_port_a_tunnel_has(friend: Browser, host: str):
    assert (await friend.get("/api/page", host=host)).status == 200


async def test_a_named_host_is_let_in_besides(tmp_path: Path):
    browser = page(tmp_path, hosts=frozenset({"bot.example"}))
    assert (await browser.get("/login", host="bot.example")).status == 200
    assert (await browser.get("/login", host="evil.example")).status == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8710", "https://127.0.0.1", ""]
)
async def test_a_page_of_another_origin_can_neither_read_nor_write(friend: Browser, origin: str):
    if origin:
        assert (await friend.get("/api/page", origin=origin)).status == 403
        assert (await friend.get("/login", origin=origin)).status == 403
    assert (await friend.post("/login", {"token": TOKEN}, origin=origin)).status == 403
    assert (await friend.post("/api/command", {"command": "pause", "confirm": "pause"}, origin=origin)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_browser_that_says_another_site_asked_is_believed(friend: Browser, site: str):
    assert (await friend.get("/api/page", sec_fetch_site=site)).status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_no_form_of_another_page_can_push_a_button(tmp_path: Path, kind: str):
    async with Bot(tmp_path / "s").answering() as bot:
        browser = page(tmp_path, socket=bot.path)
        await browser.enter()
        answer = await browser.post("/api/command", {"command": "kill", "confirm": "kill"}, content_type=kind)
        assert answer.status == 403
        assert bot.told == []


async def test_the_cookie_alone_pushes_no_button(tmp_path: Path):
    async with Bot(tmp_path / "s").answering() as bot:
        browser = page(tmp_path, socket=bot.path)
        await browser.enter()
        pause = {"command": "pause", "confirm": "pause"}
        for key in ("", "guessed", browser.cookie.partition("=")[2]):
            assert (await browser.post("/api/command", pause, x_deltawire_key=key)).status == 403
        other = Browser(browser.app)
        await other.enter()
        assert (await browser.post("/api/command", pause, x_deltawire_key=other.key)).status == 403
        assert bot.told == []
        assert (await browser.post("/api/command", pause)).status == 200
        assert bot.told == ["pause"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_only_get_and_post_are_known(friend: Browser, method: str):
    assert (await call(friend.app, method, "/api/page", {"host": HOST, "cookie": friend.cookie})).status == 405


@pytest.mark.parametrize("path", ["/login", "/", "/api/page", "/nowhere", "/app.css"])
async def test_every_answer_carries_the_strict_headers(stranger: Browser, friend: Browser, path: str):
    for browser in (stranger, friend):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


async def test_a_refusal_at_the_door_carries_them_too(friend: Browser):
    for answer in (await friend.get("/", host="evil.example"), await friend.get("/", origin="http://evil.example")):
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_no_file_and_no_answer_holds_token_cookie_or_key(friend: Browser):
    secret = [TOKEN, friend.key, friend.cookie.partition("=")[2]]
    for path in ["/", "/login", "/api/page", "/api/history?pair=x", *(f"/{name}" for name in LOGIN_FILES)]:
        answer = await friend.get(path)
        assert answer.status == 200, path
        for text in secret:
            assert text.encode() not in answer.body, path


@pytest.mark.parametrize(
    "path", ["/../app.py", "/%2e%2e/app.py", "/vendor/../../app.py", "//etc/passwd", "/static/app.js"]
)
async def test_only_the_files_listed_are_served(friend: Browser, path: str):
    assert (await friend.get(path)).status == 404


def test_the_public_files_are_there():
    assert [name for name in LOGIN_FILES if not (STATIC / name).is_file()] == []


def test_our_headers_are_what_the_tests_send():
    assert OURS["origin"] == f"http://{HOST}"
