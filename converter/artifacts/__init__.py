"""What a build leaves behind: manifest, archive, and how two outputs differ."""
