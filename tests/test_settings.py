"""Settings: arguments first, then VESTIGO_*, then OTEL_*, then defaults; mistakes are told by name."""

import re

import pytest

from vestigo.errors import SettingsError
from vestigo.settings import (
    Settings,
    default_storage_url,
    load_server_settings,
    load_settings,
    resource_attributes,
    server_source,
)


def test_arguments_win_over_the_environment_and_that_over_defaults():
    """Each source in its order; an empty variable counts as not set."""
    environ = {"VESTIGO_SERVICE": "env", "OTEL_SERVICE_NAME": "otel", "VESTIGO_SAMPLE_RATE": ""}
    assert load_settings({"service": "given"}, environ).service == "given"
    assert load_settings({"service": None}, environ).service == "env"
    assert load_settings({}, {"OTEL_SERVICE_NAME": "otel"}).service == "otel"
    assert load_settings({}, environ).sample_rate == 1.0
    assert load_settings({}, {}) == Settings()


def test_text_from_the_environment_is_read_by_kind():
    """Switches, numbers, lists and resource attributes."""
    environ = {
        "VESTIGO_DISABLED": "true", "VESTIGO_QUEUE_BYTES": "1000", "VESTIGO_REDACT_KEYS": "a, b",
        "OTEL_RESOURCE_ATTRIBUTES": "host=a,team=x%20y", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }  # fmt: skip
    settings = load_settings({}, environ)
    assert (settings.disabled, settings.queue_bytes, settings.redact_keys) == (True, 1000, ("a", "b"))
    assert settings.sample_rate == 0.25
    assert settings.resource_attributes == {"host": "a", "team": "x y"}
    told = resource_attributes(load_settings({"service": "s", "release": "1", "environment": "e"}, environ))
    assert told["service.name"] == "s"
    assert told["team"] == "x y"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"servise": "x"}, "servise"), ({"sample_rate": 7}, "0 to 1"), ({"sample_rate": "much"}, "sample_rate"),
        ({"redact": "maybe"}, "secrets"), ({"queue_bytes": 0}, "above 0"), ({"exit_timeout_s": 99}, "60"),
        ({"log_level": "LOUD"}, "LOUD"), ({"service": " "}, "service"), ({"project": ""}, "project"),
        ({"max_attributes": -1}, "max_attributes"), ({"service": 5}, "service"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_setting_and_the_remedy(given, named):
    """SettingsError before anything is recorded."""
    with pytest.raises(SettingsError, match=named):
        load_settings(given, {})


@pytest.mark.parametrize("text", ["perhaps", "2x"])
def test_a_mistake_in_the_environment_is_told_too(text):
    """By the setting's name."""
    with pytest.raises(SettingsError, match="disabled"):
        load_settings({}, {"VESTIGO_DISABLED": text})
    with pytest.raises(SettingsError, match="queue_bytes"):
        load_settings({}, {"VESTIGO_QUEUE_BYTES": text})


def test_the_default_storage_lies_in_the_data_directory():
    """Unless one is named."""
    assert default_storage_url(Settings(data_dir="/x")) == "sqlite:////x/vestigo.db"
    assert default_storage_url(Settings(storage="memory://")) == "memory://"


# --- of the server


def test_a_setting_of_the_server_comes_from_flag_then_variable_then_file(tmp_path):
    """A TOML file in the data directory is read by itself; what is nearer wins."""
    (tmp_path / "vestigo.toml").write_text(
        'port = 5000\nhost = "127.0.0.2"\nallowed_hosts = ["a.example", "b.example"]\n'
    )
    environ = {"VESTIGO_DATA_DIR": str(tmp_path), "VESTIGO_HOST": "127.0.0.3"}
    found = load_server_settings({"retention_days": 3.0}, environ=environ)
    assert (found.port, found.host, found.retention_days) == (5000, "127.0.0.3", 3.0)
    assert found.allowed_hosts == ("a.example", "b.example")
    assert load_server_settings({"port": 0}, environ=environ).port == 0
    sources = [server_source(name, environ=environ) for name in ("port", "host", "project")]
    assert sources == ["file", "environment", "default"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1", "unknown setting 'prot'; did you mean 'port'?"),
        ("port =", "is no TOML"),
        ("port = 'x'", "setting port='x' makes no sense; give a value like 4318"),
        ("port = 99999", "setting port=99999 is no port"),
        ("max_waiting_bytes = 1", "no large request would ever be taken"),
        ("root_path = 'x/'", "must be like '/vestigo'"),
    ],
)
def test_a_wrong_file_is_told_with_the_remedy(tmp_path, text, told):
    """The name or value, and what would be right."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(told)):
        load_server_settings(config=str(path), environ={})


def test_a_file_that_was_named_must_be_there(tmp_path):
    """Also by VESTIGO_CONFIG; the one in the data directory need not be."""
    with pytest.raises(SettingsError, match="cannot read"):
        load_server_settings(environ={"VESTIGO_CONFIG": str(tmp_path / "none.toml")})
    assert load_server_settings(environ={"VESTIGO_DATA_DIR": str(tmp_path)}).port == 4318
