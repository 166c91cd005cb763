"""How platforms store what Microsoft Defender reports."""
