"""Predictions are compared in one sentence, whatever the learner wrote."""

import pytest
import torch

from vae_edu.predictions import compare


@pytest.mark.parametrize(
    ("guess", "measured", "unit", "said"),
    [
        (None, 2.349, "nats", "Measured: 2.35 nats. You made no guess."),
        (2.3, 2.349, "nats", "You guessed 2.3 nats, and measured is 2.35 nats: well guessed."),
        (5, 2.0, "nats", "You guessed 5 nats, and measured is 2 nats: you expected 3 more."),
        (-150, -139.99, "nats", "You guessed -150 nats, and measured is -140 nats: well guessed."),
        (-200, -140.0, "nats", "You guessed -200 nats, and measured is -140 nats: you expected 60 less."),
        ("0.5", torch.tensor(0.02), "", "You guessed 0.5, and measured is 0.02: you expected 0.48 more."),
        (1480, 1480.05, "samples", "You guessed 1,480 samples, and measured is 1,480 samples: well guessed."),
        ("many", 3, "", "Measured: 3. Your guess, 'many', is not a number."),
        ([1], 3, "", "Measured: 3. Your guess, [1], is not a number."),
        (None, "encoder", "", "Measured: encoder. You made no guess."),
        (" Encoder", "encoder", "", "You guessed encoder, and so it is."),
        ("decoder", "encoder", "", "You guessed decoder, and measured is encoder."),
        (7, "encoder", "", "You guessed 7, and measured is encoder."),
        (["a", "b"], ["a", "b"], "", "You guessed a, b, and so it is."),
        (("b", "a"), ["a", "b"], "", "You guessed b, a, and measured is a, b."),
        (None, ["a", "b"], "", "Measured: a, b. You made no guess."),
    ],
)
def test_a_guess_is_compared(capsys, guess, measured, unit, said):
    compare(guess, measured, unit)
    assert capsys.readouterr().out == f"{said}\n"
