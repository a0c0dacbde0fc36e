import random

from deltawire.sim.credentials import paradex_keys, vest_keys
from deltawire.venues.paradex import signing as paradex
from deltawire.venues.vest.signing import Signer


def test_paradex_keys_are_a_pair_the_codec_can_sign_and_verify_with():
    keys = paradex_keys()
    private_key = int(keys.private_key.reveal(), 16)
    signature = paradex.sign(private_key, 12345)
    assert paradex.verify(keys.public_key, 12345, signature)
    assert 0 < keys.account_address < 2**251


def test_vest_keys_are_a_pair():
    keys = vest_keys()
    assert Signer(keys.primary_private_key).address == keys.primary_address


def test_accounts_are_fresh_unless_a_generator_is_handed_in():
    assert paradex_keys().private_key != paradex_keys().private_key
    assert vest_keys().primary_address != vest_keys().primary_address
    assert paradex_keys(random.Random(1).randbytes) == paradex_keys(random.Random(1).randbytes)
    assert vest_keys(random.Random(1).randbytes) == vest_keys(random.Random(1).randbytes)


def test_no_repr_shows_a_private_key():
    for keys in (paradex_keys(), vest_keys()):
        (private_key,) = (value for name, value in keys.as_json().items() if "private" in name)
        assert private_key not in repr(keys)
        assert str(int(private_key, 16)) not in repr(keys)
