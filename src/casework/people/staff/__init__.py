"""People: who acts and owns, the posts they hold, the tokens they come in with."""
