"""An audit's page in a real browser: Chromium, where it and the package playwright are there."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_audits import CLASSES, make_page, make_review, make_sample, picture

from nlcore.audits.decisions import Decision, read_decisions, write_decisions
from nlcore.audits.review import Review, reviewed_rate
from nlcore.audits.thumbnails import MOST_BYTES
from nlcore.report.audit import page as module
from nlcore.report.audit.content import Page, Reviewed, Verdict
from nlcore.report.audit.page import write_page

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
IDS = {f"train/{number}.png" for number in range(24)}
STRANGE = ('a "quoted", name', "<b>bold</b>", "🐈 ‮gnp", "  spaces ", "two\nlines;\tor more")


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that opens an audit's page; what pages complained of or tried to load is a failure."""
    said: list[str] = []
    contexts = []

    def call(page: Page | None = None, context: Any = None, **options: Any) -> Any:
        files = write_page(tmp_path / "audit.html", page or make_page([make_sample(number) for number in range(24)]))
        if context is None:
            context = browser.new_context(**options)
            contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: said.append(f"error: {error}"))
        allowed = (*(file.as_uri() for file in files), "data:image/", "blob:")
        tab.on("request", lambda request: None if request.url.startswith(allowed) else said.append(request.url))
        tab.goto(files[0].as_uri())
        return tab

    yield call
    for context in contexts:
        context.close()
    assert said == []


def saved(tab: Any, folder: Path) -> Path:
    """Save the decisions and return the file."""
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save decisions.csv").click()
    download.value.save_as(folder / "decisions.csv")
    return folder / "decisions.csv"


def load(tab: Any, file: Path) -> str:
    """Load a file of decisions and return what is said."""
    tab.locator("#said").evaluate("line => line.textContent = ''")
    tab.locator("#load").set_input_files(str(file))
    wait(tab, "document.getElementById('said').textContent !== ''")
    return str(tab.locator("#said").text_content())


def wait(tab: Any, condition: str) -> None:
    """Wait until something holds; the page's policy forbids the way in which playwright waits."""
    end = time.monotonic() + 20
    while not tab.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.005)


def press(tab: Any, keys: Sequence[str]) -> None:
    """Press keys one by one."""
    for key in keys:
        tab.keyboard.press(key)


def shown(tab: Any) -> list[str]:
    """Return the ids of the tiles that are shown."""
    return [str(one) for one in tab.locator(".tile:visible").evaluate_all("all => all.map(one => one.sampleId)")]


def test_keys_decide_and_go_on(opened: Callable[..., Any], tmp_path: Path) -> None:
    """Sample 1 is a dog, suggested a horse; the third class offered to sample 4 (cat, suggested horse) is a dog."""
    tab = opened()
    tab.locator(".tile").first.focus()
    press(tab, ["k", "1", "d", "u", "2", "r"])
    tab.keyboard.type("shi")
    press(tab, ["Enter", "ArrowLeft", "ArrowLeft", "c", "z", "ArrowRight", "n", "n", "p", "k"])
    expected = {
        "train/0.png": Decision("train/0.png", "keep"),
        "train/1.png": Decision("train/1.png", "relabel", "horse"),
        "train/2.png": Decision("train/2.png", "drop"),
        "train/3.png": Decision("train/3.png", "unsure"),
        "train/4.png": Decision("train/4.png", "relabel", "dog"),
        "train/5.png": Decision("train/5.png", "relabel", "ship"),
        "train/6.png": Decision("train/6.png", "keep"),
    }
    assert read_decisions(saved(tab, tmp_path), "a1", IDS, CLASSES) == expected
    assert tab.locator("#decided").text_content() == "7 of 24 decided, 24 shown"
    assert tab.locator(".tile .mark:visible").all_text_contents() == [
        "keep", "→ horse", "drop", "unsure", "→ dog", "→ ship", "keep",
    ]  # fmt: skip


def test_the_first_key_shows_the_first_open_image_and_decides_nothing(opened: Callable[..., Any]) -> None:
    tab = opened()
    press(tab, ["k"])
    assert tab.evaluate("decisions.size") == 0
    assert tab.evaluate("document.activeElement.sampleId") == "train/0.png"
    press(tab, ["k"])
    tab.reload()
    press(tab, ["n"])
    assert tab.evaluate("document.activeElement.sampleId") == "train/1.png"


def test_keys_do_nothing_where_something_else_has_the_focus(opened: Callable[..., Any]) -> None:
    tab = opened()
    for place in ("#by-pair", "#save"):
        tab.locator(place).focus()
        press(tab, ["d", "d"])
    assert tab.evaluate("decisions.size") == 0


def test_an_image_is_enlarged_and_decided_on_there(opened: Callable[..., Any]) -> None:
    tab = opened()
    tab.locator(".tile").nth(2).click()
    assert tab.locator("#viewer").is_visible()
    assert tab.locator("#name").text_content() == "train/2.png"
    assert tab.locator("#given").text_content() == "horse"
    width = tab.locator("#large").evaluate("img => [img.naturalWidth, img.getBoundingClientRect().width]")
    assert width == [8, 128]  # 16 times as large
    assert tab.locator("#choices bdi").all_text_contents() == [
        "keep horse", "ship", "cat", "another class …", "drop", "unsure",
    ]  # fmt: skip
    tab.get_by_role("button", name="drop").click()
    assert tab.locator("#place").text_content() == "4 of 24"
    press(tab, ["ArrowLeft"])
    assert tab.locator('#choices [aria-pressed="true"] bdi').all_text_contents() == ["drop"]
    assert tab.locator("#made").text_content() == "Decided: drop"
    press(tab, ["Escape"])
    assert not tab.locator("#viewer").is_visible()
    assert tab.evaluate("document.activeElement.sampleId") == "train/2.png"
    press(tab, ["Enter"])
    assert tab.locator("#name").text_content() == "train/2.png"


def test_the_help_lists_the_keys(opened: Callable[..., Any]) -> None:
    tab = opened()
    press(tab, ["?"])
    assert tab.locator("#help").is_visible()
    press(tab, ["Escape"])
    assert not tab.locator("#help").is_visible()


def test_filters(opened: Callable[..., Any]) -> None:
    tab = opened()
    tab.locator("#by-reason").select_option("near duplicate")
    assert shown(tab) == [f"train/{number}.png" for number in range(1, 24, 2)]
    tab.locator(".tile:visible").first.focus()
    press(tab, ["k", "d"])
    tab.locator("#by-decision").select_option("open")
    assert shown(tab) == [f"train/{number}.png" for number in range(5, 24, 2)]
    tab.locator("#by-decision").select_option("drop")
    assert shown(tab) == ["train/3.png"]
    tab.locator('[data-pair="0,1"]').click()  # in the matrix: given cat, suggested dog
    expected = [f"train/{n}.png" for n in range(24) if (make_sample(n).given, make_sample(n).suggested) == (0, 1)]
    assert shown(tab) == expected
    assert expected
    assert tab.locator("#decided").text_content() == f"2 of 24 decided, {len(expected)} shown"


def test_progress_is_kept_for_each_audit(opened: Callable[..., Any]) -> None:
    tab = opened()
    tab.locator(".tile").first.focus()
    press(tab, ["k", "1"])
    tab.reload()
    assert tab.locator("#decided").text_content() == "2 of 24 decided, 24 shown"
    other = opened(make_page([make_sample(0)], audit="a"), tab.context)
    assert other.locator("#decided").text_content() == "0 of 1 decided, 1 shown"


def test_files_of_one_audit_share_decisions(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SAMPLES", 12)
    tab = opened()
    tab.locator(".tile").first.focus()
    press(tab, ["k"])
    tab.get_by_role("link", name="13 to 24", exact=True).click()
    assert shown(tab)[0] == "train/12.png"
    tab.locator(".tile").first.focus()
    press(tab, ["d"])
    assert tab.evaluate("[...decisions.keys()].sort()") == ["train/0.png", "train/12.png"]


def test_saved_decisions_are_loaded_in_another_browser(opened: Callable[..., Any], tmp_path: Path) -> None:
    samples = [replace(make_sample(number), id=name) for number, name in enumerate(STRANGE)]
    tab = opened(make_page(samples))
    tab.locator(".tile").first.focus()
    press(tab, ["k", "1", "d", "u", "1"])
    file = saved(tab, tmp_path)
    expected = read_decisions(file, "a1", set(STRANGE), CLASSES)
    assert list(expected) == [*STRANGE]
    other = opened(make_page(samples))
    assert load(other, file) == "5 decisions loaded from decisions.csv."
    assert read_decisions(saved(other, tmp_path), "a1", set(STRANGE), CLASSES) == expected
    write_decisions(tmp_path / "python.csv", "a1", expected.values())
    third = opened(make_page(samples))
    load(third, tmp_path / "python.csv")
    assert read_decisions(saved(third, tmp_path), "a1", set(STRANGE), CLASSES) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("audit,id,decision,label\nother,train/0.png,keep,\n", "row 2 is of another audit, “other”"),
        ("audit,id,decision,label\na1,x,keep,\na1,x,drop,\n", "row 3: “x” was decided otherwise before"),
        ("audit,id,decision,label\na1,x,relabel,cow\n", "row 2: there is no class “cow”"),
        ("audit,id,decision,label\na1,x,maybe,\n", "row 2: “maybe” is none of keep, relabel, drop, unsure"),
        ("audit,id,decision,label\na1,x,keep,cat\n", "row 2: keep takes no label"),
        ('audit,id,decision,label\na1,"x,keep,\n', "a double quote is not closed"),
        ("", "the first line must name the columns audit, id, decision, label"),
    ],
)
def test_a_wrong_file_loads_nothing(opened: Callable[..., Any], tmp_path: Path, text: str, reason: str) -> None:
    tab = opened()
    (tmp_path / "mine.csv").write_text(text)
    assert load(tab, tmp_path / "mine.csv") == f"mine.csv: nothing was loaded: {reason}."
    assert tab.evaluate("decisions.size") == 0


def test_a_spreadsheet_file_is_loaded(opened: Callable[..., Any], tmp_path: Path) -> None:
    tab = opened()
    text = "\ufeffid;audit;note;Decision;label\r\ntrain/3.png;a1;;relabel;cat\r\n;;;;\r\n"
    (tmp_path / "sheet.csv").write_text(text, encoding="utf-8", newline="")
    assert load(tab, tmp_path / "sheet.csv") == "1 decision loaded from sheet.csv."
    rows = list(csv.reader(saved(tab, tmp_path).open(newline="")))
    assert rows[1:] == [["a1", "train/3.png", "relabel", "cat"]]


def test_a_review_is_blind(opened: Callable[..., Any]) -> None:
    tab = opened(make_page([make_sample(number) for number in range(8)], make_review(4)))
    tab.get_by_role("button", name="Review 4 images").click()
    text = tab.locator("#viewer").inner_text()
    assert "wrong" not in text
    assert "disagrees" not in text
    assert ".png" not in text
    assert "%" not in text
    offered = tab.locator('#choices [data-decision="relabel"] bdi').all_text_contents()[:-1]
    assert offered == sorted(offered, key=CLASSES.index)


def test_a_review_gives_the_rate_and_its_interval(opened: Callable[..., Any]) -> None:
    """As `reviewed_rate` says it, which is tested against its formula; and Σ w wrong / Σ w of what is listed."""
    rng = np.random.default_rng(0)
    weights, expected, draws = rng.uniform(0.2, 3.0, 40), rng.uniform(0, 0.6, 40), rng.integers(1, 3, 40)
    review = [
        Reviewed(make_sample(100 + number), float(weight), float(P), number % 2 == 0, int(times))
        for number, (weight, P, times) in enumerate(zip(weights, expected, draws, strict=True))
    ]
    tab = opened(replace(make_page([make_sample(0)], review), expected=0.2))
    tab.get_by_role("button", name="Review 40 images").click()
    keys = ["1" if number % 3 == 0 else "u" if number == 5 else "d" if number == 7 else "k" for number in range(40)]
    press(tab, keys[:-1])
    assert "So far, about " in tab.locator("#estimate").text_content()
    press(tab, keys[-1])
    assert tab.locator("#made").text_content().endswith(". That was the last one.")
    wrong = np.array([key in "1d" for key in keys])
    counted = np.array([key != "u" for key in keys])
    judged = Review(np.arange(39), draws[counted], weights[counted], expected[counted], 0.2)
    rate = reviewed_rate(judged, wrong[counted])
    listed = counted & (np.arange(40) % 2 == 0)
    found = tab.evaluate("estimate(data.review, (id) => answers.get(id))")
    assert (found["n"], found["unsure"]) == (draws[counted].sum(), 1)
    assert [found[name] for name in ("rate", "low", "high")] == pytest.approx([rate.value, rate.low, rate.high])
    assert found["precision"] == pytest.approx(
        (weights * draws * wrong)[listed].sum() / (weights * draws)[listed].sum(), rel=1e-9
    )
    press(tab, ["Escape"])
    text = tab.locator("#estimate").inner_text()
    assert "39 of 40 images judged, 1 unsure and left out." in text
    assert f"About {100 * rate.value:.1f} % of all labels are wrong" in text
    assert f"Of the suspicious images {wrong[listed].sum()} of {listed.sum()} are wrong" in text


def test_the_answers_of_a_review_are_apart_from_what_was_decided_in_the_gallery(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    """Of sample 0, which both show, the gallery's decision is taken; the review counts its own answer."""
    page = make_page(
        [make_sample(number) for number in range(4)],
        [Reviewed(make_sample(number), 1.0, 0.5, True) for number in (0, 7)],
    )
    tab = opened(page)
    tab.locator(".tile").first.focus()
    press(tab, ["1"])
    assert "0 of 2 images judged" in tab.locator("#estimate").text_content()
    tab.get_by_role("button", name="Review 2 images").click()
    assert tab.locator("#made").text_content() == ""  # nothing of the gallery is told
    press(tab, ["k", "d", "Escape"])
    assert "2 of 2 images judged" in tab.locator("#estimate").text_content()
    file = saved(tab, tmp_path)
    expected = {
        "train/0.png": Decision("train/0.png", "relabel", CLASSES[make_sample(0).suggested]),
        "train/7.png": Decision("train/7.png", "drop"),
    }
    assert read_decisions(file, "a1", IDS, CLASSES) == expected
    other = opened(page)
    assert load(other, file) == "2 decisions loaded from decisions.csv."
    assert "2 of 2 images judged" in other.locator("#estimate").text_content()
    assert file.read_bytes() == saved(other, tmp_path).read_bytes()
    tab.reload()
    assert "2 of 2 images judged" in tab.locator("#estimate").text_content()


def test_where_no_number_can_be_said_none_is_shown(opened: Callable[..., Any]) -> None:
    page = make_page([make_sample(number) for number in range(3)])
    tab = opened(replace(page, verdict=Verdict(2_000, None, None, "The model is too weak.")))
    assert "%" not in tab.locator("#grid").inner_text()
    assert all("%" not in one for one in tab.locator(".tile").evaluate_all("all => all.map(one => one.ariaLabel)"))
    tab.locator(".tile").first.click()
    assert tab.locator("#wrong").text_content() == ""


def test_no_rate_from_too_few(opened: Callable[..., Any]) -> None:
    tab = opened(make_page([make_sample(0)], make_review(30)))
    tab.get_by_role("button", name="Review 30 images").click()
    press(tab, ["d"] * 29)
    assert "About" not in tab.locator("#estimate").text_content()
    press(tab, ["d"])
    assert "About 100.0 % of all labels are wrong" in tab.locator("#estimate").text_content()
    press(tab, ["z", "u"])
    assert "29 of 30 images judged, 1 unsure and left out." in tab.locator("#estimate").text_content()
    assert "About" not in tab.locator("#estimate").text_content()


def test_where_one_saves_far_down_the_page_the_next_command_is_in_sight(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    tab = opened(make_page([make_sample(number) for number in range(120)]), viewport={"width": 1280, "height": 800})
    tab.locator(".tile").nth(110).scroll_into_view_if_needed()
    assert not tab.locator("#images").evaluate("heading => heading.getBoundingClientRect().bottom > 0")
    saved(tab, tmp_path)
    line = tab.locator("#said")
    assert "nl audit apply" in line.text_content()
    assert line.evaluate("line => line.getBoundingClientRect().top >= 0 && line.getBoundingClientRect().bottom < 400")


def test_on_a_phone_no_number_is_cut_off(opened: Callable[..., Any]) -> None:
    certain = [replace(make_sample(number), p_wrong=1.0) for number in range(12)]
    tab = opened(make_page(certain), **PHONE)
    cut = "numbers => numbers.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert tab.locator(".tile .p").evaluate_all("numbers => numbers.length") == 12
    assert tab.locator(".tile .p").evaluate_all(cut) == 0


def test_names_are_text(opened: Callable[..., Any]) -> None:
    names = ("<img src=x onerror=alert(1)>", 'a "b"', "שלום", "🐈")
    samples = [replace(make_sample(number, names), id=f"{name}.png") for number, name in enumerate(names)]
    tab = opened(make_page(samples, make_review(2), names))
    assert tab.locator(".tile .was bdi").all_text_contents() == [*names]
    tab.locator(".tile").first.click()
    assert tab.locator("#given").text_content() == names[0]
    assert tab.locator("#choices bdi").first.text_content() == f"keep {names[0]}"
    assert tab.locator("img").count() == len(samples) + 1


def test_2_000_images_show_the_first_within_two_seconds(opened: Callable[..., Any]) -> None:
    """The pictures are as large as they may be, and the file has nearly 40 MB; it takes a tenth of that time."""
    large = picture(0, side=160)
    large = replace(large, content=large.content + bytes(MOST_BYTES - len(large.content)))
    page = make_page([make_sample(number, shown=large) for number in range(2_000)])
    tab = opened(make_page([make_sample(0)]))  # the browser itself is warm
    files = write_page(Path(tab.url.removeprefix("file://")).with_name("audit.html"), page)
    assert 37_000_000 < files[0].stat().st_size < 40_000_000
    tab.goto("about:blank")
    start = time.perf_counter()
    tab.goto(f"{files[0].as_uri()}#images", wait_until="commit")
    wait(tab, "document.querySelector('.tile img')?.naturalWidth > 0")
    took = time.perf_counter() - start
    assert took < 2
    tab.wait_for_load_state()
    assert tab.locator(".tile").count() == 2_000
    loaded = "[...document.querySelectorAll('.tile img')].filter(img => img.src).length"
    assert 0 < tab.evaluate(loaded) < 200  # only those near the window
    tab.locator(".tile").last.scroll_into_view_if_needed()
    wait(tab, "[...document.querySelectorAll('.tile img')].at(-1).naturalWidth > 0")


def test_light_and_dark(opened: Callable[..., Any]) -> None:
    tab = opened(color_scheme="light")
    colours = "[document.body, document.querySelector('.tile')].map(one => getComputedStyle(one).backgroundColor)"
    light = tab.evaluate(colours)
    tab.emulate_media(color_scheme="dark")
    dark = tab.evaluate(colours)
    assert light[0] == "rgb(255, 255, 255)"
    for one in dark:
        assert sum(map(int, one.removeprefix("rgb(").removesuffix(")").split(","))) < 3 * 64


def test_the_focus_can_be_seen(opened: Callable[..., Any]) -> None:
    tab = opened()
    tab.locator(".tile").first.focus()
    press(tab, ["ArrowRight"])
    style = tab.evaluate("(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
                         "(getComputedStyle(document.activeElement))")  # fmt: skip
    assert style == ["solid", "3px"]
    assert tab.locator('.tile[tabindex="0"]').count() == 1  # Tab enters and leaves the grid in one step


def test_nothing_is_wider_than_a_phone(opened: Callable[..., Any]) -> None:
    names = tuple(f"a class with a long name {number}" for number in range(12))
    samples = [replace(make_sample(n, names), id=f"{'folder/' * 20}{n}.png") for n in range(12)]
    tab = opened(make_page(samples, make_review(2), names), **PHONE)
    wide = "document.documentElement.scrollWidth"
    assert tab.evaluate(wide) <= 390
    tab.locator(".tile").first.tap()
    assert tab.evaluate(wide) <= 390
    box = tab.locator("#next").bounding_box()
    assert box["y"] + box["height"] <= 844
    assert box["x"] + box["width"] <= 390
    tab.locator("#choices button").nth(1).tap()
    assert tab.locator("#place").text_content() == "2 of 12"


def test_the_table_of_classes_fits_a_phone(opened: Callable[..., Any]) -> None:
    names = tuple(f"a_class_with_quite_a_long_name_{number}" for number in range(4))
    tab = opened(make_page([make_sample(number, names) for number in range(12)], classes=names), **PHONE)
    assert tab.locator(".wide:has(.bars)").evaluate("one => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize("options", [{}, PHONE])
def test_a_long_reason_is_not_cut_off_in_its_filter(opened: Callable[..., Any], options: dict[str, Any]) -> None:
    """A select that is as wide as it likes shows its longest entry whole."""
    reasons = ("near duplicate, another label", "contradicted by the networks")
    tab = opened(make_page([replace(make_sample(number), reasons=reasons) for number in range(12)]), **options)
    width = "select => select.getBoundingClientRect().width"
    has = tab.locator("#by-reason").evaluate(width)
    wants = tab.locator("#by-reason").evaluate(
        "select => { const copy = select.cloneNode(true); copy.style.width = 'auto'; copy.style.font = "
        "getComputedStyle(select).font; document.body.append(copy); return copy.getBoundingClientRect().width; }"
    )
    assert has >= wants - 8  # the clone is without the filters' padding


def test_a_browser_that_keeps_nothing_says_so(opened: Callable[..., Any]) -> None:
    tab = opened()
    tab.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    tab.locator(".tile").first.focus()
    press(tab, ["k"])
    assert "keeps no progress" in tab.locator("#said").text_content()
    assert tab.locator("#decided").text_content() == "1 of 24 decided, 24 shown"


def test_without_scripts_the_findings_can_be_read(opened: Callable[..., Any]) -> None:
    tab = opened(java_script_enabled=False)
    assert tab.locator(".verdict").is_visible()
    assert tab.locator("table.bars tbody tr").count() == 4
    assert not tab.locator("#tools").is_visible()
