"""The whole HTTP API on one screen: the table of every route, and the application that answers them."""

from collections.abc import Sequence
from typing import Any, cast

from litestar import Litestar
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from meterhouse.http import access, events, failures, limits, openapi, usages
from meterhouse.http.auth import Authenticator
from meterhouse.http.auto_recharge import AutoRechargeRoutes
from meterhouse.http.checkout import CheckoutRoutes
from meterhouse.http.credits import CreditRoutes
from meterhouse.http.customer_page import CustomerPageRoutes
from meterhouse.http.customers import CustomerRoutes
from meterhouse.http.dashboard import DashboardRoutes
from meterhouse.http.edge import ASGIApp, Edge
from meterhouse.http.holds import HoldRoutes
from meterhouse.http.hosted import Addresses
from meterhouse.http.hosted_sessions import HostedRoutes
from meterhouse.http.keys import KeyRoutes
from meterhouse.http.meters import MeterRoutes
from meterhouse.http.parts import Metering, Queries, Surroundings
from meterhouse.http.payments import PaymentRoutes
from meterhouse.http.periods import PeriodRoutes
from meterhouse.http.plans import PlanRoutes
from meterhouse.http.presence import given_up_with_caller
from meterhouse.http.products import ProductRoutes
from meterhouse.http.provider import ProviderRoutes
from meterhouse.http.purchases import LISTED, PurchaseRoutes
from meterhouse.http.query_parameters import EventsOperation, MeterOperation, UsageOperation
from meterhouse.http.routing import Credential, Route, framework_routes
from meterhouse.http.service import ServiceRoutes
from meterhouse.http.session import SessionRoutes
from meterhouse.http.sign_in import SignIn
from meterhouse.http.tally import TallyRoutes
from meterhouse.http.usage import QueryRoutes
from meterhouse.ingest.accept import Ingest
from meterhouse.model.tenant import Rights
from meterhouse.ports import Catalog

_LINK, _NONE, _SESSION = Credential.LINK, Credential.NONE, Credential.SESSION
_EVENTS = Rights.EVENTS_WRITE


def build_app(
    ingest: Ingest, queries: Queries, metering: Metering, catalog: Catalog, around: Surroundings
) -> ASGIApp:
    authenticator = Authenticator(catalog.identities, catalog.sessions)
    table = _table(ingest, queries, metering, catalog, around, authenticator)
    methods = failures.Methods(table)
    framework = Litestar(  # no Router: it would deep-copy the routes, and the stores with them
        framework_routes(table),
        guards=[access.Access(authenticator).guard],
        dependencies=access.dependencies(),
        request_class=access.ApiRequest,
        exception_handlers={Exception: failures.answer(methods)},
        openapi_config=None,  # openapi.py describes the hot routes too
        logging_config=None,
        debug=False,  # else an environment variable would decide
    )
    hot = {(route.method, route.path): route.handler for route in table if route.hot is not None}
    # A proxy on this machine says whether the browser uses https. ASGI's types are wider than theirs.
    behind_proxy = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, framework)))
    return Edge(hot, methods.of, given_up_with_caller(behind_proxy))


def _table(
    ingest: Ingest,
    queries: Queries,
    metering: Metering,
    catalog: Catalog,
    around: Surroundings,
    authenticator: Authenticator,
) -> Sequence[Route]:
    """Return every route. Nothing else adds one."""
    addresses = Addresses(around.public_url)
    live = metering.payments.processors.live
    event = events.EventRoutes(ingest, authenticator)
    recorded = usages.UsageRoutes(metering.usages, ingest, authenticator)
    limit = limits.LimitRoutes(metering.limits, catalog.directory, authenticator, addresses)
    hold = HoldRoutes(metering.holds)
    question = QueryRoutes(queries.usage, queries.events)
    meter = MeterRoutes(catalog.meters, queries.meters)
    tally = TallyRoutes(catalog.tally, around.now)
    customer = CustomerRoutes(catalog.customers, metering.views, metering.credits)
    product = ProductRoutes(catalog.products, catalog.plans)
    plan = PlanRoutes(catalog.plans, catalog.products)
    purchase = PurchaseRoutes(catalog, metering.views, metering.activations, addresses)
    period = PeriodRoutes(catalog.purchases, metering.views)
    credit = CreditRoutes(metering.credits, catalog.providers)
    payment = PaymentRoutes(metering.payments, catalog, metering.views)
    recharge = AutoRechargeRoutes(metering.auto_recharges, metering.payments.processors, catalog.directory)
    hosted = HostedRoutes(catalog, metering.views, addresses)
    checkout = CheckoutRoutes(metering.checkout)
    page = CustomerPageRoutes(metering.customer_page)
    provider = ProviderRoutes(
        catalog.providers, catalog.audit, None if live is None else live.publishable_key
    )
    key = KeyRoutes(catalog.keys, around.now)
    session = SessionRoutes(
        SignIn(catalog.operators, catalog.sessions, around.now), authenticator, around.public_url
    )
    dashboard = DashboardRoutes()
    service = ServiceRoutes(around.ready, lambda: openapi.document(table))

    # fmt: off
    table = [
        # Usage events, meter events and limits
        Route("POST", "/v1/sdk/events", "publishEvent", event.publish, 201, hot=events.EVENT, errors=(404,), right=_EVENTS),
        Route("POST", "/v1/sdk/events/bulk", "publishEvents", event.publish_bulk, hot=events.EVENTS, right=_EVENTS),
        Route("POST", "/v1/sdk/usages", "recordUsage", recorded.track, hot=usages.USAGE, right=_EVENTS),
        Route("POST", "/v1/sdk/usages/bulk", "recordUsages", recorded.track_bulk, hot=usages.USAGES, right=_EVENTS),
        Route("POST", "/v1/sdk/meter-events", "recordMeterEvent", recorded.meter_event, hot=usages.METER_EVENT, errors=(404,), right=_EVENTS),
        Route("POST", "/v1/sdk/meter-events/bulk", "recordMeterEvents", recorded.meter_events, hot=usages.METER_EVENTS, errors=(404,), right=_EVENTS),
        Route("POST", "/v1/sdk/limits", "checkLimits", limit.check, hot=limits.LIMIT, errors=(404,)),
        Route("GET", "/v1/sdk/holds/{reference:str}", "getHold", hold.get),
        Route("POST", "/v1/sdk/holds/{reference:str}/settle", "settleHold", hold.settle),
        Route("POST", "/v1/sdk/holds/{reference:str}/release", "releaseHold", hold.release),
        # Queries
        Route("GET", "/v1/usage", "getUsage", question.usage, parameters=UsageOperation),
        Route("GET", "/v1/events", "listEvents", question.page, parameters=EventsOperation),
        Route("GET", "/v1/events/{event_id:str}", "getEvent", question.event),
        Route("GET", "/v1/ingest", "getIngest", tally.get),
        Route("GET", "/v1/meters", "listMeters", meter.all),
        Route("POST", "/v1/meters", "createMeter", meter.create, 201),
        Route("GET", "/v1/meters/{reference:str}", "getMeter", meter.get),
        Route("PUT", "/v1/meters/{reference:str}", "updateMeter", meter.change),
        Route("POST", "/v1/meters/{reference:str}/archive", "archiveMeter", meter.archive),
        Route("GET", "/v1/meters/{reference:str}/usage", "getMeterUsage", meter.usage, parameters=MeterOperation),
        # Customers, products and plans
        Route("GET", "/v1/sdk/customers", "findCustomer", customer.find, errors=(404,)),
        Route("POST", "/v1/sdk/customers", "createCustomer", customer.create, 201),
        Route("GET", "/v1/sdk/customers/{reference:str}", "getCustomer", customer.get),
        Route("PATCH", "/v1/sdk/customers/{reference:str}", "updateCustomer", customer.change),
        Route("DELETE", "/v1/sdk/customers/{reference:str}", "deleteCustomer", customer.delete),
        Route("GET", "/v1/customers", "listCustomers", customer.page),
        Route("GET", "/v1/sdk/products", "listProducts", product.page),
        Route("POST", "/v1/sdk/products", "createProduct", product.create, 201),
        Route("GET", "/v1/sdk/products/{reference:str}", "getProduct", product.get),
        Route("PUT", "/v1/sdk/products/{reference:str}", "updateProduct", product.change),
        Route("DELETE", "/v1/sdk/products/{reference:str}", "deleteProduct", product.delete),
        Route("POST", "/v1/sdk/products/{reference:str}/clone", "cloneProduct", product.clone, 201),
        Route("GET", "/v1/products", "listProductsWhole", product.whole),
        Route("GET", "/v1/sdk/products/{reference:str}/plans", "listPlans", plan.page),
        Route("POST", "/v1/sdk/products/{reference:str}/plans", "createPlan", plan.create, 201),
        Route("GET", "/v1/sdk/products/{reference:str}/plans/{plan_reference:str}", "getPlan", plan.get),
        Route("PUT", "/v1/sdk/products/{reference:str}/plans/{plan_reference:str}", "updatePlan", plan.change),
        Route("DELETE", "/v1/sdk/products/{reference:str}/plans/{plan_reference:str}", "deletePlan", plan.delete),
        # Purchases, credits and payments
        Route("POST", "/v1/sdk/activate", "activatePlan", purchase.activate, errors=(404,)),
        Route("GET", "/v1/sdk/purchases", "listPurchases", purchase.matching, answers=LISTED),
        Route("GET", "/v1/sdk/purchases/customer/{reference:str}", "listCustomerPurchases", purchase.of_customer, answers=LISTED),
        Route("GET", "/v1/sdk/purchases/product/{reference:str}", "listProductPurchases", purchase.of_product, answers=LISTED),
        Route("GET", "/v1/sdk/purchases/{reference:str}", "getPurchase", purchase.get),
        Route("POST", "/v1/sdk/purchases/{reference:str}/cancel", "cancelPurchase", purchase.cancel),
        Route("POST", "/v1/sdk/purchases/{reference:str}/reactivate", "reactivatePurchase", purchase.reactivate),
        Route("GET", "/v1/purchases/{reference:str}/periods", "listPeriods", period.of_purchase),
        Route("GET", "/v1/sdk/customers/{reference:str}/balance", "getBalance", credit.balance),
        Route("POST", "/v1/sdk/customers/{reference:str}/credits", "grantCredits", credit.grant),
        Route("GET", "/v1/customers/{reference:str}/credits", "listCredits", credit.history),
        Route("POST", "/v1/customers/{reference:str}/credits/adjust", "adjustCredits", credit.adjust),
        Route("GET", "/v1/sdk/payment-intents", "listPaymentIntents", payment.page),
        Route("POST", "/v1/sdk/payment-intents", "createPaymentIntent", payment.create, 201, errors=(404,)),
        Route("GET", "/v1/sdk/payment-intents/{reference:str}", "getPaymentIntent", payment.get),
        Route("POST", "/v1/sdk/payment-intents/{reference:str}/process", "processPaymentIntent", payment.process),
        Route("POST", "/v1/sdk/payment-intents/{reference:str}/business-details", "setBusinessDetails", payment.business_details),
        Route("GET", "/v1/sdk/payment-method", "getPaymentMethod", payment.card, errors=(404,)),
        Route("GET", "/v1/sdk/auto-recharge", "getAutoRecharge", recharge.get, errors=(404,)),
        Route("PUT", "/v1/sdk/auto-recharge", "saveAutoRecharge", recharge.save, errors=(404,)),
        Route("DELETE", "/v1/sdk/auto-recharge", "disableAutoRecharge", recharge.disable, errors=(404,)),
        # Hosted sessions, and the pages that customers open with a link
        Route("POST", "/v1/sdk/customers/customer-sessions", "createCustomerSession", hosted.open_customer, 201, errors=(404,)),
        Route("GET", "/v1/sdk/customers/customer-sessions/{session_id:str}", "getCustomerSession", hosted.customer_session),
        Route("POST", "/v1/sdk/checkout-sessions", "createCheckoutSession", hosted.open_checkout, 201, errors=(404,)),
        Route("POST", "/v1/sdk/user-info", "getUserInfo", hosted.user_info, errors=(404,)),
        Route("GET", "/v1/checkout-sessions/{session_id:str}", "getCheckout", checkout.get, credential=_LINK),
        Route("GET", "/v1/checkout-sessions/{session_id:str}/plans", "listCheckoutPlans", checkout.plans, credential=_LINK),
        Route("POST", "/v1/checkout-sessions/{session_id:str}/select-plan", "selectPlan", checkout.select_plan, credential=_LINK),
        Route("POST", "/v1/checkout-sessions/{session_id:str}/select-topup-amount", "selectTopupAmount", checkout.select_topup, credential=_LINK),
        Route("POST", "/v1/checkout-sessions/{session_id:str}/reset-plan", "resetPlan", checkout.reset, credential=_LINK),
        Route("POST", "/v1/checkout-sessions/{session_id:str}/pay", "payCheckout", checkout.pay, credential=_LINK),
        Route("POST", "/v1/payment-intents/{reference:str}/confirm", "confirmPaymentIntent", payment.confirm, credential=_LINK),
        Route("GET", "/v1/customer-sessions/{session_id:str}", "getCustomerPage", page.get, credential=_LINK),
        Route("POST", "/v1/customer-sessions/{session_id:str}/purchases/{reference:str}/cancel-renewal", "cancelRenewal", page.cancel_renewal, credential=_LINK),
        Route("POST", "/v1/customer-sessions/{session_id:str}/purchases/{reference:str}/reactivate", "keepRenewing", page.reactivate, credential=_LINK),
        # The provider, its keys and its operators
        Route("GET", "/v1/sdk/merchant", "getMerchant", provider.merchant, errors=(404,)),
        Route("GET", "/v1/sdk/platform-config", "getPlatformConfig", provider.platform_config),
        Route("GET", "/v1/audit", "listAudit", provider.audit),
        Route("GET", "/v1/keys", "listKeys", key.all),
        Route("POST", "/v1/keys", "createKey", key.create, 201),
        Route("DELETE", "/v1/keys/{reference:str}", "revokeKey", key.revoke),
        Route("POST", "/v1/session", "signIn", session.create, 201, credential=_NONE, errors=(400, 401, 403, 503)),
        Route("GET", "/v1/session", "getSession", session.get, credential=_SESSION),
        Route("DELETE", "/v1/session", "signOut", session.delete, 204, credential=_SESSION),
        # The server itself
        Route("GET", "/health", "getHealth", service.health, credential=_NONE),
        Route("GET", "/ready", "getReady", service.ready, credential=_NONE, errors=(503,)),
        Route("GET", "/metrics", "getMetrics", service.metrics, credential=_NONE, media_type="text/plain"),
        Route("GET", "/openapi.json", "getOpenapi", service.openapi, credential=_NONE),
        Route("GET", "/docs", "getDocs", service.docs, credential=_NONE, media_type="text/html"),
        *(Route("GET", path, "getPage", dashboard.file, credential=_NONE, in_schema=False) for path in dashboard.paths),
    ]
    # fmt: on
    return table
