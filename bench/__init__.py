"""How fast Meterhouse is, as ratios against peers in the same run (design §9)."""
