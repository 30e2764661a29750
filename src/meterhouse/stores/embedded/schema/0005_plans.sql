-- Plans: on what terms a product is sold. The columns beside `body` repeat what of it is asked for.
CREATE TABLE plan (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    ref            TEXT NOT NULL,
    product_ref    TEXT NOT NULL,
    position       INTEGER NOT NULL,  -- the order of creation within the product
    status         TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'archived')),
    is_default     INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    hidden         INTEGER NOT NULL CHECK (hidden IN (0, 1)),
    deleted_at     INTEGER,
    body           TEXT NOT NULL,     -- JSON of model.plan.Plan
    PRIMARY KEY (scope_id, ref),
    FOREIGN KEY (scope_id, product_ref) REFERENCES product (scope_id, ref)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plan_of_product ON plan (scope_id, product_ref, position);
CREATE UNIQUE INDEX plan_default ON plan (scope_id, product_ref) WHERE is_default = 1 AND deleted_at IS NULL;
