"""The roster: a week by person, who answers for who is off, entering shifts; and days on which something was out."""
