"""Files of a project: read with places, replaced whole or not at all."""
