"""The simulated cloud's database: MySQL's protocol, and tables that are read from (and a little written to) its state."""
