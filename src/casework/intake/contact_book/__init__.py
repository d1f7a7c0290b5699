"""The contact book of a debtor beside what feeds bring: numbers and addresses found since, with source and ground."""
