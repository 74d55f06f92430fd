"""The network: tokens → fusion → posterior over z → decoder, one column after another."""
