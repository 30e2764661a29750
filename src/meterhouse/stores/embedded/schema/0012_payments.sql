-- A payment says how many credits it gives: the price of a credit differs between currencies, and may change
-- between the intent and the payment. Until now a minor unit has bought 100.
ALTER TABLE payment_intent ADD COLUMN credits INTEGER NOT NULL DEFAULT 0;
UPDATE payment_intent SET credits = amount * 100 WHERE purpose = 'credit_topup';
-- Payments that succeeded and were not given yet: the server looks for them all the time.
CREATE INDEX payment_intent_to_give ON payment_intent (updated_at)
    WHERE status = 'succeeded' AND fulfilled_at IS NULL;

-- What a customer asked to be charged for without being there; JSON of model.auto_recharge.AutoRecharge.
-- watched: 1 while a low balance may lead to a charge.
CREATE TABLE auto_recharge (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    customer_ref   TEXT NOT NULL,
    watched        INTEGER NOT NULL CHECK (watched IN (0, 1)),
    body           TEXT NOT NULL,
    PRIMARY KEY (scope_id, customer_ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX auto_recharge_watched ON auto_recharge (scope_id, customer_ref) WHERE watched = 1;
-- JSON of model.payment.RechargeTerms: of a top-up that begins auto-recharge.
ALTER TABLE payment_intent ADD COLUMN recharge TEXT;
-- The card that may be charged again without the customer: see model.payment.SavedMethod.
ALTER TABLE payment_intent ADD COLUMN method_owner TEXT;
ALTER TABLE payment_intent ADD COLUMN method_id TEXT;
-- The sandbox's test card may always be charged again.
UPDATE payment_intent SET method_owner = 'sandbox', method_id = 'pm_card_visa'
WHERE card_last4 IS NOT NULL AND scope_id IN (SELECT id FROM scope WHERE environment = 'sandbox');

-- Where a checkout page leads back to without a purchase; NULL for return_url.
ALTER TABLE hosted_session ADD COLUMN cancel_url TEXT;
