"""report.html in a browser, used by mouse and keyboard."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


FIGURES = {"heatmap", "learning", "history", "slice-0", "slice-1", "slice-2", "surface", "lines", "shares"}


@pytest.fixture
def screen(look, finished):
    opened = look(finished / "report.html")
    opened.scroll()
    return opened


def column(page, number: int) -> list[str]:
    """Return the visible texts of a column of the leaderboard."""
    return page.locator(f"#board tbody tr:not([hidden]) td:nth-child({number})").all_inner_texts()


def test_it_opens_from_disk_without_messages_or_requests(screen):
    assert screen.messages == []
    assert all(re.match(r"(file|data|blob):", address) for address in screen.requests)
    plots = screen.page.locator(".plot .main-svg").evaluate_all(
        "all => [...new Set(all.map(e => e.closest('.plot').id))]"
    )
    assert set(plots) == FIGURES and screen.page.locator(".plot").count() == len(FIGURES)


def test_heads_sort_in_both_directions_by_mouse_and_keyboard(screen):
    page = screen.page
    head = page.get_by_role("columnheader", name="test %")
    head.get_by_role("button").click()
    falling = [float(text.removeprefix("= ").split(" ")[0]) for text in column(page, 4)]
    assert falling == sorted(falling, reverse=True) and head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    rising = [float(text.removeprefix("= ").split(" ")[0]) for text in column(page, 4)]
    assert rising == sorted(rising) and head.get_attribute("aria-sort") == "ascending"
    assert page.locator("#board th:not([aria-sort=none])").count() == 1


def test_numbers_are_sorted_as_numbers_and_missing_values_are_last(screen):
    page = screen.page
    page.get_by_role("columnheader", name="temperature").get_by_role("button").click()
    page.get_by_role("button", name="Show all").click()
    texts = column(page, 7)
    assert texts[-2:] == ["–", "–"] and [float(t) for t in texts[:-2]] == sorted(float(t) for t in texts[:-2])


def test_filters_by_status_stage_and_knob(screen):
    page = screen.page
    assert len(column(page, 1)) == 10 and page.locator("#shown").inner_text() == "10 of 26 rows shown, 26 match"
    page.get_by_label("Status", exact=True).select_option("failed")
    assert [column(page, 6), column(page, 7)] == [["0.2"], ["1"]]
    assert page.locator("#shown").inner_text() == "1 of 26 rows shown"
    page.get_by_label("Status", exact=True).select_option("all")
    page.get_by_label("Stage", exact=True).select_option("baseline")
    assert column(page, 2) == ["baseline"]
    page.get_by_label("Stage", exact=True).select_option("all")
    page.get_by_label("Knob", exact=True).select_option(label="alpha")
    page.get_by_label("is", exact=True).select_option("0.5")
    assert column(page, 6) == ["0.5"] * 6


def test_the_first_screen_has_verdict_heat_map_and_curves(look, finished):
    page = look(finished / "report.html").page
    for part in (".verdict", ".facts", "#heatmap", "#learning"):
        assert page.locator(part).bounding_box()["y"] < 640, part
    assert "points over the student alone" in page.locator(".verdict").inner_text()


def test_a_table_is_saved_as_csv_without_the_rows_filtered_out(look, finished):
    page = look(finished / "report.html", accept_downloads=True).page
    page.get_by_label("Stage", exact=True).select_option("baseline")
    with page.expect_download() as download:
        page.locator("#leaderboard .copy").get_by_role("button", name="CSV").click()
    heads, *rows = list(csv.reader(Path(download.value.path()).read_text().splitlines()))
    assert download.value.suggested_filename == "synthetic Leaderboard.csv"
    assert heads[:4] == ["rank", "stage", "validation %", "test %"] and [row[1] for row in rows] == ["baseline"]
    assert "1,238,730" in rows[0]


def test_rows_are_copied_with_tabs(screen):
    page = screen.page
    page.evaluate("() => { document.execCommand = () => { window.copied = document.activeElement.value; }; }")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.locator("#leaderboard .copy").get_by_role("button", name="Copy").click()
    lines = page.wait_for_function("window.copied").json_value().splitlines()
    assert len(lines) == 27 and lines[0].startswith("rank\tstage\tvalidation %\t")


def test_two_knobs_can_be_chosen(screen):
    page = screen.page
    before = page.locator("#surface").evaluate("e => e.layout.xaxis.title.text")
    page.get_by_label("Across", exact=True).select_option("epochs")
    assert (before, page.locator("#surface").evaluate("e => e.layout.xaxis.title.text")) == ("alpha", "epochs")
    assert screen.messages == []


def test_a_tooltip_shows_n_and_deviation(screen):
    page = screen.page
    page.locator("#heatmap").scroll_into_view_if_needed()
    area = page.locator("#heatmap .nsewdrag").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 5.5 / 6, area["y"] + area["height"] * 1.5 / 5)
    tip = page.locator("#heatmap .hoverlayer .hovertext")
    tip.wait_for()
    assert re.search(r"alpha 0\.2, temperature 64\D*\d\d\.\d\d ± \d\.\d\d % \(n = 3\)", tip.text_content())


def test_the_metric_can_be_switched(screen):
    page = screen.page
    texts = "#heatmap .annotation-text"
    before = page.locator(texts).all_text_contents()
    page.get_by_label("Show", exact=True).select_option("validation accuracy (%)")
    after = page.locator(texts).all_text_contents()
    assert len(before) == len(after) == 30 and before != after
    page.locator(".metric:not([hidden]) summary", has_text="Show as a table").click()
    table = page.locator(".metric:not([hidden]) details:has-text('Show as a table') table")
    assert table.locator("caption").inner_text() == "validation accuracy (%)"
    cells = [re.sub(r"\s", "", text) for text in table.locator("td").all_inner_texts()]
    assert cells == [re.sub(r"\s", "", text) for text in after]
    assert screen.messages == []


def test_every_control_can_be_reached_by_keyboard_and_has_a_name(screen):
    named = "e.labels?.length || e.textContent?.trim() || e.getAttribute('aria-label')"
    unnamed = f"all => all.filter(e => !({named})).length"
    assert screen.page.locator("button, select, input").evaluate_all(unnamed) == 0
    assert screen.page.locator(".plot:not([role=img][aria-label])").count() == 0
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.tagName") == "A"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_window_with_enough_contrast(look, finished, scheme, width):
    screen = look(finished / "report.html", width=width, scheme=scheme)
    screen.scroll()
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("ink", "soft", "link", "baseline", "running", "mark"):
        assert screen.page.evaluate(CONTRAST, name) >= 4.5, name
    for name in ("finished", "chosen"):
        assert screen.page.evaluate(CONTRAST, name) >= 3, name
    assert screen.messages == []


# WCAG 2.2: contrast of a color with the paper
CONTRAST = """name => {
  const read = id => getComputedStyle(document.documentElement).getPropertyValue(`--${id}`).trim();
  const part = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = hex => [1, 3, 5].map(at => part(parseInt(hex.slice(at, at + 2), 16) / 255))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const [a, b] = [light(read(name)), light(read("paper"))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


def test_figures_out_of_view_are_drawn_on_demand(look, finished):
    screen = look(finished / "report.html", height=200)
    screen.page.wait_for_function("performance.getEntriesByName('usable').length")
    drawn = screen.page.locator(".plot[data-drawn]")
    assert drawn.count() == 0 and screen.page.evaluate("!window.Plotly")
    screen.page.get_by_label("Show", exact=True).evaluate(
        "e => { e.value = '1'; e.dispatchEvent(new Event('input')); }"
    )
    assert drawn.count() == 1 and screen.page.locator("#heatmap .annotation-text").count() == 30
    screen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert drawn.count() == screen.page.locator(".plot:has(.main-svg)").count() == len(FIGURES)
    assert screen.messages == []


def test_print_is_light_on_a_dark_screen(look, finished):
    screen = look(finished / "report.html", scheme="dark")
    screen.scroll()
    assert screen.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    screen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert screen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert screen.page.locator("#heatmap").evaluate("e => e.layout.paper_bgcolor") == "#ffffff"
    screen.page.emulate_media(media="print")
    screen.page.set_viewport_size({"width": 700, "height": 1000})  # A4 between its margins
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= 700
    screen.page.emulate_media(media="screen")
    screen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert screen.page.locator("#heatmap").evaluate("e => e.layout.paper_bgcolor") != "#ffffff"
    screen.page.wait_for_function("document.getElementById('heatmap')._fullLayout.width === 660")
