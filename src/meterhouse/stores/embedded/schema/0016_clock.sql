-- The ledger's time has no floor any more: what must not go back is kept for each account.
DROP TABLE purchase_clock;
