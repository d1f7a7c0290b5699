"""Every noun on the engine but cases: list, page and forms, from its chart alone."""
