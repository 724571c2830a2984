"""Settings: what is unknown or impossible refuses to start."""

import pytest

from server.config import SettingInvalid, from_environ


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SEERE_PROT", "8000"),
        ("SEERE_PORT", "eight"),
        ("SEERE_THREADS", "0"),
        ("SEERE_DEVICE_RECORDS_PER_MINUTE", "0"),
        ("SEERE_LANGUAGE", "de"),
        ("SEERE_REGISTRY_PREFIX", "trop-long-préfixe"),
    ],
)
def test_unknown_or_impossible_setting_refuses_to_start(name: str, text: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        from_environ({name: text})


@pytest.mark.parametrize(
    ("host", "is_private"),
    [("localhost", True), ("127.0.0.1", True), ("[::1]", False), ("::1", False), ("192.0.2.7", False)],
)
def test_without_tls_this_machine_alone_is_private(host: str, is_private: bool) -> None:
    assert from_environ({}).is_private(host) is is_private
    assert from_environ({"SEERE_ADDRESS": "https://centre.example"}).is_private(host)


def test_switches_of_tests_are_known() -> None:
    assert from_environ({"SEERE_TEST_PG_URL": "x", "SEERE_FAULTS": "full"}) == from_environ({})
