"""The pages of `vae_edu.explore` in headless Chromium: what they compute, and what one can do on them.

axe-core is used if AXE is the path of its axe.min.js; nothing is fetched.
"""

import itertools
import math
import os
from pathlib import Path

import pytest
import torch
from explorer import small_model
from torch.distributions import Independent, Normal

from vae_edu import elbo, marginal
from vae_edu.explore import explore, rounded, slider_page
from vae_edu.grid import Grid
from vae_edu.vae import VAE

pytestmark = pytest.mark.browser
FINE = Grid(2, 480, 8)
KS = (1, 8, 64)


@pytest.fixture(scope="module")
def trained():
    vae, x = small_model()
    return vae, rounded(vae), x


@pytest.fixture(scope="module")
def address(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    explore(trained[0], trained[2], path)
    assert path.stat().st_size < 250_000
    return path.as_uri()


@pytest.fixture
def opened(chromium, address):
    """A function that opens a page; at the end no page had an error or asked for anything."""
    asked, wrong, pages = [], [], []

    def open_page(fragment="", width=1280, height=1000, url=address, **settings):
        page = chromium.new_page(viewport={"width": width, "height": height}, **settings)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(url + fragment)
        if "slider" not in url:
            page.evaluate("explorer.ready")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not wrong
    assert all(url.startswith("file:") and url.split("#")[0].endswith(".html") for url in asked)


def state(page):
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate("explorer.state")


def pixels_of(page):
    state(page)
    return page.evaluate("[...explorer.state.x]")


def settled(page):
    page.wait_for_function("!explorer.running()")
    return state(page)


def normal(q):
    """Images → q, the same for each."""
    m, s = torch.tensor(q["m"], dtype=torch.float32), torch.tensor(q["s"], dtype=torch.float32)
    return lambda x: Independent(Normal(m.expand(len(x), 2), s.expand(len(x), 2)), 1)


def positions(page, i):
    """The encoder's q and four others, as the page takes them."""
    page.evaluate(f"explorer.terms({i}, {{m: [0, 0], s: [1, 1]}})")
    encoder = page.evaluate("explorer.kept(explorer.encode(explorer.state.x))")
    center = page.evaluate("explorer.posterior()")
    m = encoder["m"]
    others = [
        {"m": [m[0] + 0.5, m[1] - 0.4], "s": [0.3, 0.2]},
        {"m": [-0.5 * m[0], 1.0], "s": [0.6, 0.15]},
        {"m": [0, 0], "s": [1, 1]},
        center,
    ]
    return [encoder, *(page.evaluate("q => explorer.kept(q)", q) for q in others)]


def test_the_numbers_are_those_of_the_package(trained, opened):
    _, model, images = trained
    page = opened()
    for i, x in enumerate(images.split(1)):
        exact = marginal.quadrature(model, x, FINE).log_p_x.item()
        encoded = page.evaluate(f"explorer.encode(explorer.state.x = explorer.image({i}))")
        with torch.no_grad():
            q = model.encode(x)
        assert encoded["m"] == pytest.approx(q.mean[0].tolist(), abs=1e-4)
        assert encoded["s"] == pytest.approx(q.stddev[0].tolist(), abs=1e-4)
        for q in positions(page, i):
            found = page.evaluate("([i, q]) => explorer.terms(i, q)", [i, q])
            right = elbo.derivation(model, x, FINE, q=normal(q))["D6"]
            assert found["logPx"] == pytest.approx(exact, abs=0.01)
            assert found["reconstruction"] == pytest.approx(right["E[log p(x|z)]"].item(), abs=0.01)
            assert -found["prior"] == pytest.approx(right["-KL(q(z|x), p(z))"].item(), abs=0.01)
            assert found["gap"] == pytest.approx(right["KL(q(z|x), p(z|x))"].item(), abs=0.01)
            sum_of_terms = found["reconstruction"] - found["prior"] + found["gap"]
            assert sum_of_terms == pytest.approx(found["logPx"], abs=0.005)


@pytest.mark.parametrize("source", ["q", "prior"])
def test_bounds_of_k_draws_are_those_of_the_package(trained, opened, source):
    """The page's mean of many bounds, against the package's own, within four standard errors of the two."""
    _, model, images = trained
    page = opened()
    for i, x in enumerate(images.split(1)):
        q = positions(page, i)[i % 4] if source == "q" else {"m": [0.0, 0.0], "s": [1.0, 1.0]}
        found = {b["k"]: b for b in page.evaluate("([i, q, r]) => explorer.bounds(i, q, r)", [i, q, source])}
        torch.manual_seed(i)
        weights = marginal.log_importance_weights(model, x, 64 * 128, normal(q))[:, 0].double()
        for k in KS:
            groups = marginal.log_mean_exp(weights.reshape(-1, k).T)
            error = math.hypot(found[k]["error"], groups.std().item() / len(groups) ** 0.5)
            assert found[k]["mean"] == pytest.approx(groups.mean().item(), abs=4 * error + 0.005), (i, k)


def test_a_larger_model_agrees_too(opened, tmp_path):
    torch.manual_seed(0)
    vae = VAE((1, 28, 28), 2, "bernoulli", hidden=[40, 30], activation="tanh", device="cpu")
    with torch.no_grad():
        vae.decoder[-2].weight.mul_(6)
    x = (torch.rand(2, 1, 28, 28) > 0.5).float()
    explore(vae, x, tmp_path / "large.html")
    page, q = opened(url=(tmp_path / "large.html").as_uri()), {"m": [0.5, -0.3], "s": [0.3, 0.4]}
    found = page.evaluate("q => explorer.terms(1, q)", q)
    right = elbo.derivation(rounded(vae), x[1:], FINE, q=normal(q))["D6"]
    assert found["gap"] == pytest.approx(right["KL(q(z|x), p(z|x))"].item(), abs=0.01)
    assert found["logPx"] == pytest.approx(sum(right.values()).item(), abs=0.01)


def test_an_update_takes_less_than_a_frame(opened):
    page = opened()
    median = page.evaluate("""() => {
        const times = [];
        for (let n = 0; n < 60; n++) {
            explorer.state.q = explorer.kept({m: [Math.sin(n), Math.cos(n)], s: [0.3, 0.2 + 0.01 * n]});
            const start = performance.now();
            explorer.draw();
            times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[30];
    }""")
    assert median < 16


def middle(page, name):
    box = page.locator(name).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, name, across, down):
    a, b = middle(page, name)
    page.mouse.move(a, b)
    page.mouse.down()
    page.mouse.move(a + across, b + down, steps=5)
    page.mouse.up()
    return state(page)


def shown(page, name):
    return float(page.locator(name).inner_text().replace("−", "-").replace("+", "").replace(" ", ""))


def test_handles_follow_the_mouse_and_the_three_bars_add_up(opened):
    page = opened()
    before = state(page)
    total = page.locator("#logpx").inner_text()
    moved = drag(page, "#center", 60, -40)
    per_pixel = 6.4 / page.locator("#plane").bounding_box()["width"]
    assert moved["q"]["m"] == pytest.approx(
        [before["q"]["m"][0] + 60 * per_pixel, before["q"]["m"][1] + 40 * per_pixel], abs=0.03
    )
    assert moved["q"]["s"] == before["q"]["s"]
    wider = drag(page, "#wide", 30, 10)
    assert wider["q"]["s"][0] == pytest.approx(moved["q"]["s"][0] + 15 * per_pixel, abs=0.02)
    assert wider["q"]["s"][1] == moved["q"]["s"][1]
    higher = drag(page, "#high", 10, 20)
    assert higher["q"]["s"][1] < wider["q"]["s"][1]
    assert page.locator("#logpx").inner_text() == total
    sum_of_bars = shown(page, "#rec output") + shown(page, "#kl output") + shown(page, "#gap output")
    assert sum_of_bars == pytest.approx(shown(page, "#logpx"), abs=0.02)
    assert shown(page, "#rec output") + shown(page, "#kl output") == pytest.approx(
        shown(page, "#elbo"), abs=0.02
    )
    drag(page, "#center", 3000, 0)
    assert state(page)["q"]["m"][0] == pytest.approx(3.2)


def test_arrow_keys_move_handles_and_the_numbers_are_said(opened):
    page = opened()
    before = state(page)["q"]
    page.locator("#center").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    moved = state(page)["q"]
    assert moved["m"] == pytest.approx([before["m"][0] + 0.05, before["m"][1] + 0.05])
    page.locator("#wide").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["q"]["s"][0] == pytest.approx(before["s"][0] + 0.05)
    page.locator("#high").focus()
    page.keyboard.press("ArrowDown")
    assert state(page)["q"]["s"][1] == pytest.approx(before["s"][1] - 0.05)
    assert page.locator("#high").get_attribute("aria-valuetext") == f"σ = {before['s'][1] - 0.05:.3f}"
    page.wait_for_function("document.getElementById('status').textContent.includes('KL to the posterior')")


def test_a_finger_moves_q(opened):
    page = opened(width=390, height=844, has_touch=True)
    page.locator("#plane").scroll_into_view_if_needed()
    before, (a, b) = state(page)["q"]["m"], middle(page, "#plane")
    page.touchscreen.tap(a - 80, b - 60)
    after = state(page)["q"]["m"]
    assert after != before
    per_pixel = 6.4 / page.locator("#plane").bounding_box()["width"]
    assert after == pytest.approx([-80 * per_pixel, 60 * per_pixel], abs=0.05)


def test_the_encoders_q_and_the_best_gaussian(opened):
    page = opened()
    page.locator("#encoder").click()
    encoder = state(page)
    assert encoder["q"]["m"] == pytest.approx(page.evaluate("explorer.encode(explorer.state.x).m"))
    page.locator("#best").click()
    page.wait_for_function("explorer.running()")
    best = settled(page)
    assert best["terms"]["elbo"] >= encoder["terms"]["elbo"]
    assert best["terms"]["gap"] < encoder["terms"]["gap"]
    for d in range(4):  # no small change is better
        for by in (-0.03, 0.03):
            m, s = list(best["q"]["m"]), list(best["q"]["s"])
            (m if d < 2 else s)[d % 2] += by
            near = page.evaluate("q => explorer.terms(0, q).elbo", {"m": m, "s": s})
            assert near < best["terms"]["elbo"] + 0.01


def test_less_motion_means_no_animation(opened):
    page = opened(reduced_motion="reduce")
    page.locator("#best").click()
    assert not page.evaluate("explorer.running()")
    assert state(page)["terms"]["gap"] < 0.5


def test_what_needs_the_grid_goes_with_the_third_term(opened):
    page = opened()
    assert page.locator("#logpx").is_visible()
    map_before = page.evaluate("document.getElementById('map').toDataURL()")
    page.locator("#drop").click()
    state(page)
    assert not page.locator("#logpx").is_visible()
    assert not page.locator("#line").is_visible()
    assert page.locator("#gap output").inner_text() == "?"
    assert page.locator("#elbo").is_visible()
    assert page.evaluate("document.getElementById('map').toDataURL()") != map_before
    page.locator("#drop").click()
    state(page)
    assert page.locator("#logpx").is_visible()


def test_more_draws_climb_to_log_p_x(opened):
    page = opened()
    page.locator("#encoder").click()
    slider, means = page.locator("#k"), []
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(11):
        means.append(state(page)["bound"]["mean"])
        page.keyboard.press("ArrowRight")
    assert state(page)["k"] == 1024
    assert means[0] == pytest.approx(state(page)["terms"]["elbo"], abs=0.1)
    log_p_x = shown(page, "#logpx")
    assert all(b > a - 0.01 for a, b in itertools.pairwise(means))
    assert means[-1] == pytest.approx(log_p_x, abs=0.05)
    page.locator("#from-prior").click()
    assert state(page)["from"] == "prior"
    assert state(page)["bound"]["error"] > 0
    page.locator("#from-q").click()
    assert state(page)["from"] == "q"


def test_an_image_is_drawn_cleared_erased_and_chosen(trained, opened):
    page = opened()
    page.locator("#clear").click()
    assert sum(pixels_of(page)) == 0
    page.locator("#x").scroll_into_view_if_needed()
    (a, b), before = middle(page, "#x"), shown(page, "#logpx")
    page.mouse.move(a, b - 60)
    page.mouse.down()
    page.mouse.move(a, b + 60, steps=8)
    page.mouse.up()
    pixels = torch.tensor(pixels_of(page)).reshape(1, 1, 14, 14)
    assert 12 <= pixels.sum() <= 40
    assert pixels[..., :4].sum() == 0
    assert shown(page, "#logpx") != before
    exact = marginal.quadrature(trained[1], pixels.float(), FINE).log_p_x.item()
    assert shown(page, "#logpx") == pytest.approx(exact, abs=0.02)
    page.locator("#erase").click()
    page.mouse.click(a, b)
    assert sum(pixels_of(page)) < pixels.sum()
    page.locator("#x").focus()
    page.keyboard.press("ArrowLeft")
    ink = sum(pixels_of(page))
    page.keyboard.press("Space")
    assert sum(pixels_of(page)) == ink + 1
    page.get_by_role("button", name="held-out image 4", exact=True).click()
    assert state(page)["image"] == 3
    assert pixels_of(page) == trained[2][3].flatten().tolist()


def test_generate_and_edit(opened):
    page = opened()
    page.locator("#generate").click()
    state(page)
    assert not page.locator("#image-part").is_visible()
    means = page.evaluate("document.getElementById('mean').toDataURL()")
    page.locator("#plane").click(position={"x": 80, "y": 80})
    z = state(page)["z"]
    assert z[0] < -1
    assert z[1] > 1
    assert page.evaluate("document.getElementById('mean').toDataURL()") != means
    sample = page.evaluate("document.getElementById('sample').toDataURL()")
    page.locator("#again").click()
    state(page)
    assert page.evaluate("document.getElementById('sample').toDataURL()") != sample
    page.locator("#prior-draw").click()
    assert state(page)["z"] != z
    page.locator("#edit").click()
    code = state(page)["z"]
    assert code == pytest.approx(page.evaluate("explorer.encode(explorer.state.x).m"))
    page.locator("#z1").focus()
    page.keyboard.press("ArrowRight")
    edited = state(page)["z"]
    assert edited[0] == pytest.approx(code[0] + 0.05, abs=0.051)
    assert edited[1] == code[1]
    page.locator("#home").click()
    assert state(page)["z"] == pytest.approx(code)
    page.locator("#explain").click()
    state(page)
    assert page.locator("#terms-part").is_visible()


def test_five_steps_each_with_a_question(opened):
    page, sentences = opened(), []
    for step in range(1, 6):
        assert page.locator("#count").inner_text() == f"Step {step} of 5"
        sentences.append(page.locator("#sentence").inner_text())
        assert page.locator("#question").inner_text().endswith("?")
        page.locator("summary").click()
        assert page.locator("#answer").is_visible()
        assert state(page)["drop"] == (step == 3)
        page.locator("#next").click()
    assert len(set(sentences)) == 5
    assert page.locator("#count").inner_text() == "Step 1 of 5"
    page.locator("#next").click()
    page.locator("#back").click()
    assert page.locator("#count").inner_text() == "Step 1 of 5"


def test_the_address_brings_the_situation_back(opened):
    page = opened()
    page.get_by_role("button", name="held-out image 6", exact=True).click()
    page.locator("#from-prior").click()
    page.locator("#zoom").click()
    state(page)
    assert page.evaluate("explorer.view().half") < 3.2
    drag(page, "#wide", 12, 0)
    page.locator("#drop").click()
    here = state(page)
    page.wait_for_function("location.hash.includes('drop=1')")
    there = state(opened(page.evaluate("location.hash")))
    for name in ("image", "from", "zoom", "drop", "k", "step", "mode"):
        assert there[name] == here[name], name
    assert there["q"]["s"] == pytest.approx(here["q"]["s"], abs=1e-3)
    page.locator("#clear").click()
    page.mouse.click(*middle(page, "#x"))
    drawn = pixels_of(page)
    page.wait_for_function("location.hash.includes('x=i')")
    assert pixels_of(opened(page.evaluate("location.hash"))) == drawn
    assert state(opened("#q=1,2&k=7&mode=x&x=99&step=-4&z=a"))["k"] == 8


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("mode", ["explain", "generate", "edit"])
def test_it_fits_a_phone_and_axe_finds_nothing_serious(opened, mode, scheme):
    for width in (390, 1280):
        page = opened(f"#mode={mode}", width=width, height=844, color_scheme=scheme)
        state(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = "e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.handle')"
        wide = f"[...document.querySelectorAll('main *')].filter({wide}).map(e => e.outerHTML.slice(0, 90))"
        assert page.evaluate(wide) == []
        small = "e => e.innerText && e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 13"
        small = f"[...document.querySelectorAll('p, span, output, button')].filter({small}).map(e => e.id)"
        assert set(page.evaluate(small)) <= {"center"}
        if axe := os.environ.get("AXE"):
            page.add_script_tag(content=Path(axe).read_text(encoding="utf-8"))
            found = page.evaluate("axe.run()")["violations"]
            assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_sliders_move_their_dimension(opened, tmp_path):
    torch.manual_seed(0)
    vae = VAE((1, 14, 14), 10, "bernoulli", hidden=20, device="cpu")
    x = torch.rand(3, 1, 14, 14).round()
    path = tmp_path / "sliders.html"
    path.write_text(slider_page(vae, x), encoding="utf-8")
    page = opened(url=path.as_uri(), width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sliders = page.locator("input[type=range]")
    assert sliders.count() == 10
    code = rounded(vae).encode(x[:1]).mean[0]
    assert page.evaluate("z") == pytest.approx(code.tolist(), abs=1e-5)
    sliders.nth(4).focus()
    page.keyboard.press("End")
    assert page.evaluate("z[4]") == pytest.approx(3, abs=0.06)
    with torch.no_grad():
        code = code.clone()
        code[4] = page.evaluate("z[4]")
        right = rounded(vae).decode(code[None]).mean.flatten().tolist()
    assert page.evaluate("[...decode(z)]") == pytest.approx(right, abs=1e-5)
    page.get_by_role("button", name="held-out image 2").click()
    second = rounded(vae).encode(x[1:2]).mean[0].tolist()
    assert page.evaluate("z") == pytest.approx(second, abs=1e-5)
    page.locator("#reset").click()
    assert page.evaluate("z") == pytest.approx(second, abs=1e-5)
