"""Erasing: what goes, what stays, what the log says of it, and that the rest is as it was."""

from tests.privacy.conftest import House


def test_smoke(house: House) -> None:
    told = house.erase(1)
    print(told.gone.counts)
    report = house.report()
    print(report.as_json()["checked"])
    assert report.verdict == "sound", report.as_json()
    assert report.openings_erased
    run = house.send(without=(1, 2))
    print(run.figures)
    assert house.report().verdict == "sound"
