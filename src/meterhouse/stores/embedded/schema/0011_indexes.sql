-- A provider's purchases are listed the newest first, some at a time: they may be millions.
CREATE INDEX purchase_by_time ON purchase (scope_id, created_at);

-- The links of a customer end with the customer.
CREATE INDEX hosted_session_by_customer ON hosted_session (scope_id, customer_ref);
