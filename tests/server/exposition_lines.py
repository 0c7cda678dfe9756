"""A strict reader of the Prometheus text format and of OpenMetrics, written from their specifications for the tests."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(?P<name>{NAME})(?:\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}})? (?P<value>\S+)")
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def read(text, openmetrics=False):
    """{family: (kind, {(sample name, sorted labels): value})}; AssertionError for anything that the format forbids."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    if openmetrics:
        assert lines.pop() == "# EOF"
    families, current, kind, helped = {}, None, None, None
    for line in lines:
        if line.startswith("# HELP "):
            helped, _, _ = line[7:].partition(" ")
            assert helped not in families, f"{helped} comes twice"
            continue
        if line.startswith("# TYPE "):
            current, kind = line[7:].split(" ")
            assert current == helped, line
            families[current] = (kind, {})
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        endings = ENDINGS[kind]
        stem = current.removesuffix("_total") if kind == "counter" and not openmetrics else current
        assert match["name"] in {stem + ending for ending in endings}, f"{line} stands under {current}"
        key = (match["name"], tuple(sorted(read_labels(match["labels"] or ""))))
        assert len({name for name, _ in key[1]}) == len(key[1]), line
        assert key not in families[current][1], f"{line} comes twice"
        families[current][1][key] = float(match["value"])
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
        if kind == "counter":
            assert all(value >= 0 for value in samples.values())
    return families


def read_labels(text):
    for name, value in re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"', text):
        yield name, re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), value)


def check_histogram(name, samples):
    """Buckets rise to the one of +Inf, which is the count; each has its sum."""
    sets = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            bound = float(dict(labels)["le"])
            sets.setdefault(tuple(pair for pair in labels if pair[0] != "le"), []).append((bound, value))
    assert {labels for sample, labels in samples if sample == name + "_sum"} == set(sets)
    for labels, buckets in sets.items():
        assert buckets == sorted(buckets), name
        assert [count for _, count in buckets] == sorted(count for _, count in buckets), name
        assert buckets[-1] == (float("inf"), samples[name + "_count", labels])


def value_of(families, sample, **labels):
    """The sum of the samples of a name that have these labels."""
    found = [
        value
        for _, samples in families.values()
        for (name, pairs), value in samples.items()
        if name == sample and labels.items() <= dict(pairs).items()
    ]
    assert found, f"no {sample} with {labels}"
    return sum(found)
