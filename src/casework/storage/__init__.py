"""Where rows lie: the database, its schema and migrations; nothing of loans."""
