"""The report card of a model: its numbers by other routes, each sentence where it is due, and the page."""

import base64
import math

import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn

from vae_edu import marginal, report_page
from vae_edu.__main__ import main
from vae_edu.elbo import negative_elbo
from vae_edu.report import Report, report
from vae_edu.train import fit
from vae_edu.vae import VAE

SHAPE = (1, 8, 8)


def stripes(n, seed):
    """Images of one black row at one of eight heights and perhaps a column: two factors."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(n, *SHAPE)
    rows, columns = (torch.randint(8, (n,), generator=generator) for _ in range(2))
    x[torch.arange(n), 0, rows] = 1
    x[torch.arange(n), 0, :, columns] = 1
    noise = torch.rand(x.shape, generator=generator) < 0.08
    return torch.where(noise, 1 - x, x)


TRAIN, HELD_OUT = stripes(2000, 0), stripes(300, 1)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    vae = VAE(SHAPE, 3, "bernoulli", hidden=(64,))
    fit(vae, negative_elbo, TRAIN, 60, lr=3e-3, progress=False)
    return vae


def copy_of(vae):
    other = VAE(**vae.architecture)
    other.load_state_dict(vae.state_dict())
    return other


def said(found, words):
    return [sentence for sentence in found.findings if words in sentence]


def test_the_numbers_are_those_of_other_routes(trained):
    found = report(trained, TRAIN, HELD_OUT, samples=2000)
    numbers = found.numbers
    bound = numbers["held-out bound"]
    assert bound.mean == pytest.approx(numbers["reconstruction"].mean - numbers["KL"].mean)
    with torch.no_grad():
        again = torch.stack([-negative_elbo(trained, HELD_OUT) for _ in range(200)]).mean(0)
    assert bound.mean == pytest.approx(again.mean().item(), abs=0.1)
    assert bound.error == pytest.approx(again.std().item() / math.sqrt(300), rel=0.1)
    exact = marginal.monte_carlo(trained, HELD_OUT, 50_000).log_p_x.mean().item()
    assert numbers["log p(x), sampled"].mean == pytest.approx(exact, abs=0.1)
    assert found.kl.sum().item() == pytest.approx(numbers["KL"].mean, abs=1e-3)
    p = TRAIN.mean(0)
    independent = torch.distributions.Bernoulli(p).log_prob(HELD_OUT).flatten(1).sum(1).mean().item()
    assert numbers["independent pixels"].mean == pytest.approx(independent, abs=0.05)
    assert numbers["training bound"].mean == pytest.approx(bound.mean, abs=1)


def test_of_a_good_model_nothing_is_said(trained):
    assert report(trained, TRAIN, HELD_OUT, samples=3000).findings == []


def test_pixels_between_0_and_1(trained):
    gray = 0.1 + 0.8 * HELD_OUT
    (sentence,) = said(report(trained, 0.1 + 0.8 * TRAIN, gray), "not binary")
    assert sentence.startswith("100% of the pixels")
    assert 'likelihood="gaussian"' in sentence


def test_few_held_out_images(trained):
    assert said(report(trained, TRAIN, HELD_OUT[:20]), "There are 20 held-out images only")
    with pytest.raises(ValueError, match="two held-out images"):
        report(trained, TRAIN, HELD_OUT[:1])


def test_held_out_images_that_were_trained_on(trained):
    new = HELD_OUT[:200]
    seen = {row.numpy().tobytes() for row in TRAIN}
    before = sum(row.numpy().tobytes() in seen for row in new)
    mixed = torch.cat([new, TRAIN[:40]])
    assert said(report(trained, TRAIN, mixed), f"{before + 40} of 240 held-out images are among")


def test_a_model_that_knows_no_more_than_single_pixels():
    assert said(
        report(VAE(SHAPE, 3, "bernoulli"), TRAIN, HELD_OUT), "not above the log-likelihood of independent"
    )


def test_a_model_that_overfits():
    torch.manual_seed(0)
    vae, noise = VAE(SHAPE, 8, "bernoulli", hidden=(128,)), (torch.rand(260, *SHAPE) < 0.5).float()
    fit(vae, negative_elbo, noise[:60], 400, batch_size=20, lr=5e-3, progress=False)
    assert said(report(vae, noise[:60], noise[60:]), "below that of the training images: it overfits")


def test_an_encoder_that_misses_the_posterior(trained):
    lost = copy_of(trained)
    with torch.no_grad():
        lost.encoder[-1].bias[:3] += 1.5
    found = report(lost, TRAIN, HELD_OUT, samples=1000)
    assert said(found, "the encoder is a poor guess at the posterior")
    assert said(report(lost, TRAIN, HELD_OUT, samples=30), "fewer than 50 of 30 samples count")


def test_dimensions_that_are_not_used(trained):
    some = copy_of(trained)
    last = some.encoder[-1]
    with torch.no_grad():
        last.weight[[1, 4]] = 0  # of the second dimension: its mean and its log σ²
        last.bias[[1, 4]] = 0
    assert said(report(some, TRAIN, HELD_OUT), "2 of 3 dimensions are active")
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
    assert said(report(some, TRAIN, HELD_OUT), "None of the dimensions of z is active")


def test_a_sigma_at_its_floor():
    vae = VAE(SHAPE, 2, "gaussian_one_sigma", min_sigma=0.2)
    assert not said(report(vae, TRAIN, HELD_OUT), "floor")
    nn.init.constant_(vae.scaled_logvar, -10)
    assert said(report(vae, TRAIN, HELD_OUT), "σ is at its floor of 0.2 gray levels")


def test_a_model_that_copies(trained):
    from vae_edu.generate import generate

    learned = torch.cat([(generate(trained, 20).mean >= 0.5).float(), TRAIN[:100]])
    copier = copy_of(trained)
    with torch.no_grad():
        copier.decoder[-2].weight *= 1000
        copier.decoder[-2].bias *= 1000
    assert said(report(copier, learned, HELD_OUT), "nearly a copy of training images")


def test_the_page_holds_everything(trained, tmp_path):
    found = report(trained, TRAIN, HELD_OUT)._replace(findings=['It is "wrong" & p < 1.'])
    report_page.write(found, tmp_path / "report.html", "a <model>")
    page = BeautifulSoup((tmp_path / "report.html").read_text(encoding="utf-8"), "html.parser")
    assert page.h1.text == "a <model>"
    assert [item.text for item in page.find_all("li")] == ['It is "wrong" & p < 1.']
    for name, number in found.numbers.items():
        assert f"{name}{number.mean:.2f} ± {number.error:.2f}" in page.table.text
    images = page.find_all("img")
    assert len(images) == 2
    assert all(base64.b64decode(image["src"].partition(",")[2])[:4] == b"\x89PNG" for image in images)
    assert all(len(image["alt"].split()) > 5 for image in images)
    assert not page.find_all(["script", "link"])


def test_the_page_of_a_good_model_says_so(trained, tmp_path):
    report_page.write(Report({}, torch.ones(2), torch.ones(2) > 0, {"a": TRAIN[:2]}, []), tmp_path / "a.html")
    assert "Nothing that this report looks for is wrong." in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian_one_sigma"])
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_the_command_takes_every_checkpoint(folder, tmp_path, capsys, likelihood, network):
    model, out = str(tmp_path / "model.pt"), tmp_path / "report.html"
    words = ["--data", str(folder), "--likelihood", likelihood, "--network", network, "--hidden", "8"]
    assert main(["train", *words, "--epochs", "1", "--out", model]) == 0
    assert main(["report", model, "--out", str(out), "--n", "30", "--samples", "20"]) == 0
    assert f"The report is in {out}.\n" in capsys.readouterr().out
    assert "<h1>model.pt on " in out.read_text(encoding="utf-8")


def test_what_the_command_refuses(tmp_path, capsys):
    assert main(["report", "model.pt", "--out", str(tmp_path / "a.pdf")]) == 2
    assert "name an .html file" in capsys.readouterr().err
    assert main(["report", "nowhere.pt", "--out", str(tmp_path / "a.html")]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err


def test_other_data_are_read_whole(folder, tmp_path):
    """--n of train counts the model's own images, and says nothing of others, of which there may be fewer."""
    model, out = str(tmp_path / "model.pt"), str(tmp_path / "report.html")
    train = ["train", "--data", "strokes", "--n", "300", "--hidden", "8", "--epochs", "1", "--out", model]
    assert main(train) == 0
    few = ["--n", "20", "--samples", "20"]
    assert main(["report", model, "--data", str(folder), "--out", out, *few]) == 0
    assert main(["report", model, "--out", out, *few]) == 0
