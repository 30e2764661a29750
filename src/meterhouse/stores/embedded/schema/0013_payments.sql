-- A payment says how many credits it gives: the price of a credit differs between currencies, and may change
-- between the intent and the payment. Until now a minor unit has bought 100.
ALTER TABLE payment_intent ADD COLUMN credits INTEGER NOT NULL DEFAULT 0;
UPDATE payment_intent SET credits = amount * 100 WHERE purpose = 'credit_topup';
-- Payments that succeeded and were not given yet: the server looks for them every second.
CREATE INDEX payment_intent_to_give ON payment_intent (updated_at)
    WHERE status = 'succeeded' AND fulfilled_at IS NULL;
