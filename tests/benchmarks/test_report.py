"""The results page, from a run that was made up: its numbers stand where they belong."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.measurements.step_parts import AROUND
from benchmarks.results.stored_run import machine_info
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.step_calls import PARTS
from reference.lesson.loops import LOOPS


def made_up(
    folder: Path,
    day: str = "2026-11-24",
    manual: float = 1.234,
    torch: str = "2.13.0",
    device: str = "cpu",
) -> Path:
    def around(middle: float, half: float = 0.004) -> dict[str, Any]:
        return asdict(Ratio(middle, middle - half, middle + half, 8, 56))

    medians = {"manual": manual, "accelerated": 1.3, "trainer": 1.4}
    ratios = {
        f"embedded-{n}-{link}": around(medians[n]) for n in LOOPS for link in ("loop", "step")
    }
    names = ("bare", *LOOPS)
    extra = {
        "checkpoint": "embedded",
        "steps": 336,
        "ratios": ratios,
        "noise": around(1.0),
        "step_ms": dict.fromkeys(names, 12.5),
        "share_of_peak": dict.fromkeys(names, 0.27),
        "matrix_product_peak": 64e9,
        "versions": {"torch": torch},
        "platform": "made up",
        "threads": 1,
        "device": device,
    }
    spent = dict.fromkeys([*PARTS, AROUND, "step"], 7.0)
    parts = {
        "steps": 80,
        "bare_us": spent | {"step": 10_000.0, "logging": 0.0},
        "spent_us": dict.fromkeys(LOOPS, spent),
        "added_us": dict.fromkeys(LOOPS, spent | {"counters": 250.0}),
        "clock_us": dict.fromkeys(("bare", *LOOPS), 40.0),
        "clock_left_us": dict.fromkeys(("bare", *LOOPS), 60.0),
        "absent": ["transformers:Trainer._gone"],
    }
    apart = {"checkpoint": "embedded", "parts": parts}
    other = {
        "name": "test_tokenizing",
        "extra_info": {"rows_a_second": 4794.6},
        "stats": {"min": 0.85},
    }
    step = {"checkpoint": "embedded", "in_turn": "manual"}
    run = {
        "machine_info": machine_info(),
        "datetime": f"{day}T10:00:00",
        "benchmarks": [
            {"name": "test_in_turn[bare]", "extra_info": extra, "stats": {"min": 70.0}},
            {"name": "test_in_turn[manual]", "extra_info": step, "stats": {"min": 71.0}},
            {"name": "test_parts[embedded]", "extra_info": apart, "stats": {"min": 20.0}},
            other,
        ],
    }
    file = folder / f"{day}-{manual}.json"
    file.write_text(json.dumps(run))
    return file


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "README.md"
    page.write_text("# Title\n\n" + report.BEGIN)
    return page


def test_a_run_stands_on_the_page_with_its_plot(tmp_path: Path, page: Path) -> None:
    assert report.main([str(made_up(tmp_path)), "--page", str(page)]) == 0
    text = page.read_text()
    assert "| manual | 12.5 | 1.2340 [1.2300, 1.2380] |" in text
    assert "64 GFLOP/s" in text
    assert "**embedded: where the Trainer's time goes**" in text
    assert "| microseconds a step | bare step | trainer adds | manual adds |" in text
    assert "| counters | 7 | +250 (+2.50%) | +250 (+2.50%) |" in text
    assert "| logging |  | +7 (+0.07%) |" in text
    assert "- trainer: 40 us a step of the clock's own were taken off, which leaves +60" in text
    assert "- transformers:Trainer._gone isn't there in this version" in text
    assert "`test_parts[embedded]`" not in text
    assert "test_in_turn" not in text
    assert "a noisy machine" not in text
    assert "| `test_tokenizing` | 0.85 | 4,795 rows a second |" in text
    (plot,) = tmp_path.glob("*.png")
    assert plot.name in text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_other_files_stand_beside_the_first(
    tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, slow, pair = made_up(tmp_path), tmp_path / "slow.json", tmp_path / "pair.json"
    where = {"platform": "made up", "versions": {"torch": "2.13.0"}, "threads": 1, "device": "cpu"}
    run = json.loads(first.read_text())
    again = {**run["benchmarks"][3], "stats": {"min": 0.99}}  # of a benchmark that the first has
    run["benchmarks"][3:] = [
        {"name": "test_compare_verdict[whole]", "extra_info": where, "stats": {"min": 47.11}},
        again,
    ]
    slow.write_text(json.dumps({**run, "benchmarks": run["benchmarks"][3:]}))
    row = asdict(Ratio(1.0036, 0.9985, 1.0057, 6, 72))
    figures = {
        "pair": "minilm, manual",
        "processor": machine_info()["cpu"].get("brand_raw"),
        **where,
        "ratios": {"minilm-manual-step": row},
        "noise": asdict(Ratio(1.0, 0.99, 1.01, 6, 72)),
    }
    pair.write_text(json.dumps(figures))
    assert report.main([*map(str, (first, slow, pair)), "--page", str(page)]) == 0
    text = page.read_text()
    assert "| `test_tokenizing` | 0.85 |" in text
    assert "| `test_compare_verdict[whole]` | 47.11 |" in text
    noisy = "1.0000 [0.9900, 1.0100], wider than 1%: a noisy machine |"
    assert f"| minilm, manual | 1.0036 [0.9985, 1.0057] | 6, 72 | {noisy}" in text

    other = {**run, "machine_info": {"cpu": {"brand_raw": "another"}}}
    slow.write_text(json.dumps(other))
    assert report.main([*map(str, (first, pair, slow)), "--page", str(page)]) == 2
    assert f"{slow}: of another machine" in capsys.readouterr().err
    for field, value in (("versions", {"torch": "2.14.0"}), ("processor", "x"), ("device", "x")):
        pair.write_text(json.dumps({**figures, field: value}))
        assert report.main([str(first), str(pair), "--page", str(page)]) == 2
        assert f"{pair}: of another machine or of other versions" in capsys.readouterr().err
    assert report.main([str(pair), "--page", str(page)]) == 2
    assert "pairs alone" in capsys.readouterr().err
    assert report.main([str(first), str(first), "--page", str(page)]) == 2
    assert "a file is given twice" in capsys.readouterr().err
    assert page.read_text() == text


def test_the_same_days_run_is_replaced_and_others_are_kept(
    tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for day, manual in (("2026-11-23", 1.111), ("2026-11-24", 1.222), ("2026-11-24", 1.333)):
        assert report.main([str(made_up(tmp_path, day, manual)), "--page", str(page)]) == 0
    text = page.read_text()
    said = capsys.readouterr().out.splitlines()
    replaced = "in place of the section that was there"
    assert [line.endswith(replaced) for line in said] == [False, False, True]
    assert text.startswith("# Title")
    assert text.count("### ") == 2
    assert "1.2220" not in text
    assert text.index("1.3330") < text.index("1.1110")


@pytest.mark.parametrize(
    ("one", "other", "title"),
    [
        ({"torch": "2.13.0"}, {"torch": "2.14.0"}, "### 2026-11-24, "),
        ({"device": "cpu"}, {"device": "NVIDIA made-up"}, "### 2026-11-24, NVIDIA made-up, "),
    ],
    ids=["other versions", "a GPU"],
)
def test_the_same_days_other_run_has_its_own_section(
    one: dict[str, str], other: dict[str, str], title: str, tmp_path: Path, page: Path
) -> None:
    for given, manual in ((one, 1.111), (other, 1.222)):
        file = made_up(tmp_path, manual=manual, **given)
        assert report.main([str(file), "--page", str(page)]) == 0
    text = page.read_text()
    assert text.count("\n### ") == 2
    assert title in text
    assert text.index("1.2220") < text.index("1.1110")
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_a_gpus_section_tells_what_it_is_asked(tmp_path: Path, page: Path) -> None:
    file = made_up(tmp_path, device="NVIDIA made-up")
    run = json.loads(file.read_text())
    counts = {"bare-kernel_launches-cuda": 315, "bare-synchronisations-cuda": 1}
    for number, loop in enumerate(LOOPS, 1):
        figures = {"kernel_launches": 315 + number, "added_launches": number, "synchronisations": 5}
        counts |= {f"{loop}-{name}-cuda": value for name, value in figures.items()}
    run["benchmarks"][0]["extra_info"]["counts"] = counts
    run["machine_info"]["cpu"]["brand_raw"] = "made-up host"
    file.write_text(json.dumps(run))
    assert report.main([str(file), "--page", str(page)]) == 0
    text = page.read_text()
    assert "### 2026-11-24, NVIDIA made-up, beside made-up host, " in text
    assert "| bare step | 315 | | 1 |" in text
    assert "| manual | 317 | 2 | 5 |" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step_ms", {}),
        ("noise", {"median": 1}),
        ("noise", asdict(Ratio(1.0, 1.01, 1.02, 8, 56))),  # its low edge is above its median
        ("versions", "x"),
        ("ratios", []),
    ],
)
def test_a_damaged_field_is_one_line_and_changes_nothing(
    field: str, value: Any, tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = made_up(tmp_path)
    run = json.loads(file.read_text())
    run["benchmarks"][0]["extra_info"][field] = value
    file.write_text(json.dumps(run))
    before = page.read_text()
    assert report.main([str(file), "--page", str(page)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: damaged (")
    assert page.read_text() == before
    assert not list(tmp_path.glob("*.png"))


def test_a_run_without_loops_or_a_page_without_a_place_is_one_line(
    tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare.json"
    bare.write_text(
        json.dumps({"machine_info": {}, "benchmarks": [{"name": "x", "extra_info": {}}]})
    )
    assert report.main([str(bare), "--page", str(page)]) == 2
    assert "no loop was measured in turn" in capsys.readouterr().err
    before = page.read_text()
    page.write_text("# Title\n")
    assert report.main([str(made_up(tmp_path)), "--page", str(page)]) == 2
    assert "is missing; put it back" in capsys.readouterr().err
    assert page.read_text() == before.replace(report.BEGIN, "").rstrip() + "\n"


@pytest.mark.parametrize("day", [5, "../../../x", ""])
def test_a_run_without_a_date_is_one_line(
    day: Any, tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = made_up(tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), "datetime": day}))
    assert report.main([str(file), "--page", str(page)]) == 2
    assert "is no date" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


def test_the_newest_stands_first_whenever_it_was_reported(tmp_path: Path, page: Path) -> None:
    for day, manual in (("2026-11-24", 1.222), ("2026-11-23", 1.111)):
        assert report.main([str(made_up(tmp_path, day, manual)), "--page", str(page)]) == 0
    text = page.read_text()
    assert text.index("1.2220") < text.index("1.1110")


def test_the_page_has_its_place() -> None:
    assert report.BEGIN in report.PAGE.read_text()
