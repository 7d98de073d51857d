"""The HTML report in a real browser: drawn whole, wide and narrow, alone and without complaint."""

import html
import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from keras_convkit.parity.reports import report
from tests.once import ONCE
from tests.parity.real_run import real_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    ONCE,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH"),
]
WIDTHS = {"wide": 1400, "narrow": 360}
# A window has a least width, a frame has none. Its content is as it was written: the page's own
# rules about scripts and requests are in force, and the script that measures stands outside.
_HOST = """<!DOCTYPE html><meta charset="utf-8"><title>host</title>
<style>body {{ margin: 0 }} iframe {{ border: 0; display: block; height: 900px }}</style>
{frames}
<iframe id="control" width="360"
  srcdoc="<!DOCTYPE html><img src='{probe}'><p style='width: 900px'>wide"></iframe>
<pre id="found"></pre>
<script>
addEventListener("load", () => {{
  const found = {{}};
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument, view = frame.contentWindow;
    const box = each => each.getBoundingClientRect();
    // What is folded is drawn, too, once it is opened.
    const open = [...page.querySelectorAll("details[open]")].length;
    for (const each of page.querySelectorAll("details")) each.open = true;
    for (const each of page.querySelectorAll(".subject"))
      each.style.contentVisibility = "visible";
    const shown = each => box(each).width > 0 && box(each).height > 0;
    const cells = [...page.querySelectorAll(".matrix svg a")];
    const beyond = [...page.querySelectorAll("main *")].filter(each =>
      !each.closest(".scroll") && box(each).right > page.documentElement.clientWidth + 1);
    found[frame.id] = {{
      inner: view.innerWidth,
      client: page.documentElement.clientWidth,
      scroll: page.documentElement.scrollWidth,
      beyond: beyond.map(each => each.outerHTML.slice(0, 80)),
      requests: view.performance.getEntriesByType("resource").map(each => each.name),
      open, title: page.title,
      cells: cells.filter(each => shown(each.querySelector("rect"))).length,
      cellsLost: cells.filter(each => !page.querySelector(each.getAttribute("href"))).length,
      letters: Math.min(...cells.map(each => box(each.querySelector("text")).height)),
      histograms: [...page.querySelectorAll(".histogram")].filter(shown).length,
      axisNumbers: [...page.querySelectorAll(".histogram use")].filter(shown).length,
      strips: [...page.querySelectorAll(".axes svg")].filter(shown).length,
      places: [...page.querySelectorAll(".places tbody tr")].filter(shown).length,
      overview: [...page.querySelectorAll(".all a")].filter(shown).length,
      colours: [...new Set(cells.map(each =>
        view.getComputedStyle(each.querySelector("rect")).fill))].length,
    }};
  }}
  document.getElementById("found").textContent = JSON.stringify(found);
  console.error("the probe of the test");
}});
</script>
"""


def browse(page, folder, *options):
    """Opens a page, and returns what the browser prints."""
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *(
                "--disable-sync",
                "--hide-scrollbars",
                "--enable-logging=stderr",
                "--window-size=1400,1800",
            ),
            *(f"--user-data-dir={folder}", *options, page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, re.findall(r":CONSOLE:\d+\] (.*)", done.stderr)


@pytest.fixture(scope="module")
def probed():
    """A server that nothing but the control asks, with what has been asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/probe", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def look(tmp_path, probed):
    """Opens a report in frames of both widths, and returns what is drawn and the console."""

    def look(text):
        frames = "".join(
            f'<iframe id="{name}" width="{width}" srcdoc="{html.escape(text)}"></iframe>\n'
            for name, width in WIDTHS.items()
        )
        page = tmp_path / "host.html"
        page.write_text(_HOST.format(frames=frames, probe=probed[0]))
        dom, console = browse(page, tmp_path / "profile", "--dump-dom")
        (found,) = re.findall(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)
        return json.loads(html.unescape(found)), console

    return look


def check(found, console, probe):
    """What is true of every report."""
    control = found.pop("control")
    # The ways in which the test looks do see requests, overflow and the console's errors.
    assert control["requests"] == [probe] and control["scroll"] > control["client"] == 360
    console = [line for line in console if probe not in line]
    assert len(console) == 1 and "the probe of the test" in console[0]
    for name, width in WIDTHS.items():
        page = found[name]
        assert page["inner"] == page["client"] == width >= page["scroll"], name
        assert page["beyond"] == [] and page["requests"] == [], name
        assert page["letters"] >= 9 and page["cellsLost"] == 0, name
    return found


@pytest.mark.parametrize("which", ["good", "wrong"])
def test_all_of_a_report_is_drawn(which, request, look, probed):
    result = request.getfixturevalue(which)
    found = check(*look(report.as_html(result)), probed[0])
    different = [cell for cell in result.cells if cell.details and cell.details.error]
    for name in WIDTHS:
        page = found[name]
        assert page["cells"] == len(result.cells)
        assert page["histograms"] == page["axisNumbers"] == len(different)
        assert page["strips"] == sum(
            length > 1 for cell in different for length in cell.details.shape
        )
        assert page["overview"] == 2 * 4
        assert page["places"] >= len(different)
        assert (page["open"] > 0) is not result.agrees
        assert page["title"].endswith(": all agree" if result.agrees else ": not all agree")
    if which == "wrong":
        assert found["wide"]["histograms"] > 0 and found["wide"]["colours"] > 1


def test_the_report_of_a_real_run_and_its_picture(look, probed, tmp_path):
    run = real_run()
    page = run.folder / "parity-report.html"
    found = check(*look(page.read_text()), probed[0])
    cells = run.document()["cells"]
    for name in WIDTHS:
        assert found[name]["cells"] == len(cells)
        assert found[name]["histograms"] == sum(bool(cell["error"]) for cell in cells) > 0
        assert found[name]["colours"] >= 3
    picture = tmp_path / "picture.png"
    _, console = browse(page, tmp_path / "another", f"--screenshot={picture}")
    assert console == []
    # A picture of nothing is a few kilobytes.
    assert picture.read_bytes()[:4] == b"\x89PNG" and picture.stat().st_size > 50_000


def test_nothing_from_elsewhere_would_be_loaded(look, probed, good):
    """The page's own rule stops what a later change could bring in by mistake."""
    address, asked = probed
    before = len([path for path in asked if path == "/stowaway"])
    image = f'<img src="{address.replace("probe", "stowaway")}">'
    _, console = look(report.as_html(good).replace("<main>", f"<main>{image}"))
    assert any("Content Security Policy" in line for line in console)
    assert len([path for path in asked if path == "/stowaway"]) == before == 0
