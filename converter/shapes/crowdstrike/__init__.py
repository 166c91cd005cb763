"""How platforms store what a Falcon sensor sends."""
