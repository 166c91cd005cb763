"""How platforms store records of Windows' event logs."""
