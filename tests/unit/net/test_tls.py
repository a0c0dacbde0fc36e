"""Verification cannot be had without."""

import ssl

import pytest

from deltawire.net import tls


def test_a_client_context_verifies_and_wants_a_modern_protocol(ca_file):
    for context in (tls.client_context(), tls.client_context(ca_file)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_named_ca_is_the_only_one_trusted(ca_file):
    assert len(tls.client_context(ca_file).get_ca_certs()) == 1


def test_a_missing_ca_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pem"):
        tls.client_context(str(tmp_path / "absent.pem"))


def test_a_ca_file_without_a_certificate_is_named(tmp_path):
    path = tmp_path / "empty.pem"
    path.write_text("nothing here\n")
    with pytest.raises(ValueError, match=r"empty\.pem"):
        tls.client_context(str(path))
