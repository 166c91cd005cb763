"""How platforms store Sysmon's records."""
