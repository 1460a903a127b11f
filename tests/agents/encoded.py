"""Agents behind encoders whose weights are as they begin."""

import numpy as np
import torch

import ludus
from ludus.agents.checkpoints.encoder_file import pretrained_of, save_encoder
from ludus.agents.nn.vision import PictureEncoder, PlanesDecoder, for_pictures
from ludus.envs import all_games

SIZE = 40  # of pictures of Asterix


def pictures(count=4, **options):
    """Games of Asterix that show pictures."""
    return ludus.make_sb3("Asterix", count, seed=0, obs_type="rgb", size=SIZE, **options)


def save_decoder(folder, **settings):
    """Write a decoder of Asterix's planes, with these settings of the encoder; returns the folder."""
    torch.manual_seed(0)
    config = for_pictures("grid", (SIZE, SIZE, 3), (10, 10), channels=8, depth=1, width=16, **settings)
    network = PlanesDecoder(PictureEncoder(config), all_games()["Asterix"].planes)
    network.encoder.fit_statistics(torch.randint(0, 255, (16, 3, SIZE, SIZE), dtype=torch.uint8))
    network.encoder.map_scale.fill_(2.0)
    save_encoder(folder, network, {})
    return folder


def behind_an_encoder(use, **settings):
    """PPO in Catch, from what a frozen encoder makes of pictures; `use` is freeze or decode."""
    torch.manual_seed(0)
    encoder = PictureEncoder(for_pictures("grid", (36, 36, 3), (10, 5), channels=8, depth=1, width=16))
    decoder = PlanesDecoder(encoder, ("ball", "paddle"))
    env = ludus.make_sb3("Catch", 8, obs_type="rgb", size=36)
    seen = torch.as_tensor(np.concatenate([env.reset(), *(env.step(np.full(8, k))[0] for k in (0, 1, 2))]))
    encoder.fit_statistics(seen.permute(0, 3, 1, 2))
    with torch.no_grad():  # about half the planes are there, others in each picture
        decoder.head.bias -= decoder(seen.permute(0, 3, 1, 2)).mean((0, 2, 3))
    return ludus.PPO("mlp", env, policy_kwargs={"encoder": pretrained_of(decoder), use: True}, **settings)
