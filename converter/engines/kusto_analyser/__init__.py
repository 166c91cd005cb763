"""Microsoft's Kusto analyser (npm `@kusto/language-service-next`, MIT): script, lock and installer."""
