"""What a case's work consists of beside the case: each module a noun with its struct, guards and effects. Pure."""
