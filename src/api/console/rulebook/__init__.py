"""The rules in force: charts drawn, the branch's figures."""
