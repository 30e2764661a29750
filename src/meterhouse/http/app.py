"""The whole API on one screen: every route, and the one application that answers them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from litestar import HttpMethod, Litestar, delete, get, patch, post, put, route
from litestar.handlers import HTTPRouteHandler
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from meterhouse.http import access, failures, openapi
from meterhouse.http.auth import Authenticator
from meterhouse.http.auto_recharge import AutoRechargeRoutes
from meterhouse.http.checkout import CheckoutRoutes
from meterhouse.http.credits import CreditRoutes
from meterhouse.http.customer_page import CustomerPageRoutes
from meterhouse.http.customers import CustomerRoutes
from meterhouse.http.dashboard import DashboardRoutes
from meterhouse.http.edge import ASGIApp, Edge
from meterhouse.http.events import EventRoutes
from meterhouse.http.holds import HoldRoutes
from meterhouse.http.hosted import Addresses
from meterhouse.http.hosted_sessions import HostedRoutes
from meterhouse.http.keys import KeyRoutes
from meterhouse.http.limits import LimitRoutes
from meterhouse.http.meters import MeterRoutes
from meterhouse.http.parts import Metering, Queries, Surroundings
from meterhouse.http.payments import PaymentRoutes
from meterhouse.http.periods import PeriodRoutes
from meterhouse.http.plans import PlanRoutes
from meterhouse.http.products import ProductRoutes
from meterhouse.http.provider import ProviderRoutes
from meterhouse.http.purchases import LISTED, PurchaseRoutes
from meterhouse.http.query_parameters import EventsOperation, MeterOperation, UsageOperation
from meterhouse.http.service import ServiceRoutes
from meterhouse.http.session import SessionRoutes
from meterhouse.http.sign_in import SignIn
from meterhouse.http.tally import TallyRoutes
from meterhouse.http.usage import QueryRoutes
from meterhouse.http.usages import UsageRoutes
from meterhouse.ingest.accept import Ingest
from meterhouse.ports import Catalog

Routes = Sequence[HTTPRouteHandler]


def build_app(
    ingest: Ingest, queries: Queries, metering: Metering, catalog: Catalog, around: Surroundings
) -> ASGIApp:
    authenticator = Authenticator(catalog.identities, catalog.sessions)
    sign_in = SignIn(catalog.operators, catalog.sessions, around.now)
    dashboard = DashboardRoutes()
    addresses = Addresses(around.public_url)
    payments = PaymentRoutes(metering.payments, catalog, metering.views)
    events = EventRoutes(ingest, authenticator)
    usages = UsageRoutes(metering.usages, ingest, authenticator)
    limits = LimitRoutes(metering.limits, authenticator, addresses)
    hot = {
        ("POST", "/v1/sdk/events"): events.publish,
        ("POST", "/v1/sdk/events/bulk"): events.publish_bulk,
        ("POST", "/v1/sdk/usages"): usages.track,
        ("POST", "/v1/sdk/usages/bulk"): usages.track_bulk,
        ("POST", "/v1/sdk/meter-events"): usages.meter_event,
        ("POST", "/v1/sdk/meter-events/bulk"): usages.meter_events,
        ("POST", "/v1/sdk/limits"): limits.check,
    }

    def routes() -> Routes:
        service = ServiceRoutes(around.ready, lambda: openapi.document(routes()))
        return [
            *_contract_routes(catalog, metering),
            *_metering_routes(catalog, metering, addresses),
            *_payment_routes(payments),
            *_recharge_routes(AutoRechargeRoutes(metering.auto_recharges, metering.payments.processors)),
            *_hosted_routes(
                CheckoutRoutes(metering.checkout), CustomerPageRoutes(metering.customer_page), payments
            ),
            *_plan_routes(PlanRoutes(catalog.plans, catalog.products)),
            *_query_routes(queries),
            *_meter_routes(MeterRoutes(catalog.meters, queries.meters)),
            *_own_routes(catalog, metering, around.now),
            *_session_routes(SessionRoutes(sign_in, authenticator)),
            *_service_routes(service),
            _page(dashboard),
        ]

    methods = failures.Methods(
        [
            *((path, each.http_methods) for each in routes() for path in each.paths),
            *((p, (m,)) for m, p in hot),
        ]
    )
    framework = Litestar(  # no Router: it would deep-copy the routes, and the stores with them
        routes(),
        guards=[access.Access(authenticator).guard],
        dependencies=access.dependencies(),
        request_class=access.ApiRequest,
        before_request=failures.options(methods),
        exception_handlers={Exception: failures.answer(methods)},
        openapi_config=None,  # openapi.py describes the hot routes too
        logging_config=None,
        debug=False,  # else an environment variable would decide
    )
    # Whether the browser's side is https, a proxy on this machine says. ASGI's types are wider than theirs.
    return Edge(hot, cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, framework))))


def _contract_routes(catalog: Catalog, metering: Metering) -> Routes:
    customers = CustomerRoutes(catalog.customers, metering.views, metering.credits)
    products = ProductRoutes(catalog.products, catalog.plans)
    live = metering.payments.processors.live
    stripe_key = None if live is None else live.publishable_key
    provider = ProviderRoutes(catalog.providers, catalog.audit, stripe_key)
    customer, product = "/v1/sdk/customers/{reference:str}", "/v1/sdk/products/{reference:str}"
    return [
        get("/v1/sdk/customers", operation_id="findCustomer")(customers.find),
        post("/v1/sdk/customers", operation_id="createCustomer")(customers.create),
        get(customer, operation_id="getCustomer")(customers.get),
        patch(customer, operation_id="updateCustomer")(customers.change),
        delete(customer, operation_id="deleteCustomer", status_code=200)(customers.delete),
        get("/v1/sdk/products", operation_id="listProducts")(products.page),
        post("/v1/sdk/products", operation_id="createProduct")(products.create),
        get(product, operation_id="getProduct")(products.get),
        put(product, operation_id="updateProduct")(products.change),
        delete(product, operation_id="deleteProduct", status_code=200)(products.delete),
        post(f"{product}/clone", operation_id="cloneProduct")(products.clone),
        get("/v1/sdk/merchant", operation_id="getMerchant")(provider.merchant),
        get("/v1/sdk/platform-config", operation_id="getPlatformConfig")(provider.platform_config),
    ]


def _metering_routes(catalog: Catalog, metering: Metering, addresses: Addresses) -> Routes:
    purchases = PurchaseRoutes(catalog, metering.views, metering.activations, addresses)
    credits_ = CreditRoutes(metering.credits)
    holds = HoldRoutes(metering.holds)
    hosted = HostedRoutes(catalog, metering.views, addresses)
    customer, hold = "/v1/sdk/customers/{reference:str}", "/v1/sdk/holds/{reference:str}"
    purchase, session = "/v1/sdk/purchases/{reference:str}", "/v1/sdk/customers/customer-sessions"
    lists = partial(get, responses=LISTED)
    return [
        post("/v1/sdk/activate", operation_id="activatePlan", status_code=200)(purchases.activate),
        lists("/v1/sdk/purchases", operation_id="listPurchases")(purchases.matching),
        lists("/v1/sdk/purchases/customer/{reference:str}", operation_id="listCustomerPurchases")(
            purchases.of_customer
        ),
        lists("/v1/sdk/purchases/product/{reference:str}", operation_id="listProductPurchases")(
            purchases.of_product
        ),
        get(purchase, operation_id="getPurchase")(purchases.get),
        post(f"{purchase}/cancel", operation_id="cancelPurchase", status_code=200)(purchases.cancel),
        post(f"{purchase}/reactivate", operation_id="reactivatePurchase", status_code=200)(
            purchases.reactivate
        ),
        get(f"{customer}/balance", operation_id="getBalance")(credits_.balance),
        post(f"{customer}/credits", operation_id="grantCredits", status_code=200)(credits_.grant),
        get(hold, operation_id="getHold")(holds.get),
        post(f"{hold}/settle", operation_id="settleHold", status_code=200)(holds.settle),
        post(f"{hold}/release", operation_id="releaseHold", status_code=200)(holds.release),
        post(session, operation_id="createCustomerSession")(hosted.open_customer),
        get(f"{session}/{{session_id:str}}", operation_id="getCustomerSession")(hosted.customer_session),
        post("/v1/sdk/checkout-sessions", operation_id="createCheckoutSession")(hosted.open_checkout),
        post("/v1/sdk/user-info", operation_id="getUserInfo", status_code=200)(hosted.user_info),
    ]


def _payment_routes(payments: PaymentRoutes) -> Routes:
    path = "/v1/sdk/payment-intents"
    one = f"{path}/{{reference:str}}"
    return [
        get(path, operation_id="listPaymentIntents")(payments.page),
        post(path, operation_id="createPaymentIntent")(payments.create),
        get(one, operation_id="getPaymentIntent")(payments.get),
        post(f"{one}/process", operation_id="processPaymentIntent", status_code=200)(payments.process),
        post(f"{one}/business-details", operation_id="setBusinessDetails", status_code=200)(
            payments.business_details
        ),
        get("/v1/sdk/payment-method", operation_id="getPaymentMethod")(payments.card),
    ]


def _recharge_routes(recharges: AutoRechargeRoutes) -> Routes:
    path = "/v1/sdk/auto-recharge"
    return [
        get(path, operation_id="getAutoRecharge")(recharges.get),
        put(path, operation_id="saveAutoRecharge")(recharges.save),
        delete(path, operation_id="disableAutoRecharge", status_code=200)(recharges.disable),
    ]


def _hosted_routes(checkout: CheckoutRoutes, customer: CustomerPageRoutes, payments: PaymentRoutes) -> Routes:
    """For customers, who have no key: what is in their link, or the intent's secret, is their credential."""
    bought = "/v1/checkout-sessions/{session_id:str}"
    own = "/v1/customer-sessions/{session_id:str}"
    purchase = f"{own}/purchases/{{reference:str}}"
    does = partial(post, status_code=200, opt=access.OPEN)
    return [
        get(bought, operation_id="getCheckout", opt=access.OPEN)(checkout.get),
        get(f"{bought}/plans", operation_id="listCheckoutPlans", opt=access.OPEN)(checkout.plans),
        does(f"{bought}/select-plan", operation_id="selectPlan")(checkout.select_plan),
        does(f"{bought}/select-topup-amount", operation_id="selectTopupAmount")(checkout.select_topup),
        does(f"{bought}/reset-plan", operation_id="resetPlan")(checkout.reset),
        does(f"{bought}/pay", operation_id="payCheckout")(checkout.pay),
        does("/v1/payment-intents/{reference:str}/confirm", operation_id="confirmPaymentIntent")(
            payments.confirm
        ),
        get(own, operation_id="getCustomerPage", opt=access.OPEN)(customer.get),
        does(f"{purchase}/cancel-renewal", operation_id="cancelRenewal")(customer.cancel_renewal),
        does(f"{purchase}/reactivate", operation_id="keepRenewing")(customer.reactivate),
    ]


def _plan_routes(plans: PlanRoutes) -> Routes:
    of_product = "/v1/sdk/products/{reference:str}/plans"
    plan = f"{of_product}/{{plan_reference:str}}"
    return [
        get(of_product, operation_id="listPlans")(plans.page),
        post(of_product, operation_id="createPlan")(plans.create),
        get(plan, operation_id="getPlan")(plans.get),
        put(plan, operation_id="updatePlan")(plans.change),
        delete(plan, operation_id="deletePlan", status_code=200)(plans.delete),
    ]


def _query_routes(queries: Queries) -> Routes:
    routes = QueryRoutes(queries.usage, queries.events)
    return [
        get("/v1/usage", operation_id="getUsage", operation_class=UsageOperation)(routes.usage),
        get("/v1/events", operation_id="listEvents", operation_class=EventsOperation)(routes.page),
        get("/v1/events/{event_id:str}", operation_id="getEvent")(routes.event),
    ]


def _meter_routes(meters: MeterRoutes) -> Routes:
    meter = "/v1/meters/{reference:str}"
    return [
        get("/v1/meters", operation_id="listMeters")(meters.all),
        post("/v1/meters", operation_id="createMeter")(meters.create),
        get(meter, operation_id="getMeter")(meters.get),
        put(meter, operation_id="updateMeter")(meters.change),
        post(f"{meter}/archive", operation_id="archiveMeter", status_code=200)(meters.archive),
        get(f"{meter}/usage", operation_id="getMeterUsage", operation_class=MeterOperation)(meters.usage),
    ]


def _own_routes(catalog: Catalog, metering: Metering, now: Callable[[], datetime]) -> Routes:
    customers = CustomerRoutes(catalog.customers, metering.views, metering.credits)
    credits_ = CreditRoutes(metering.credits)
    products = ProductRoutes(catalog.products, catalog.plans)
    periods = PeriodRoutes(catalog.purchases, metering.views)
    credit = "/v1/customers/{reference:str}/credits"
    keys = KeyRoutes(catalog.keys)
    provider = ProviderRoutes(catalog.providers, catalog.audit)
    tally = TallyRoutes(catalog.tally, now)
    return [
        get("/v1/customers", operation_id="listCustomers")(customers.page),
        get("/v1/products", operation_id="listProductsWhole")(products.whole),
        get("/v1/purchases/{reference:str}/periods", operation_id="listPeriods")(periods.of_purchase),
        get(credit, operation_id="listCredits")(credits_.history),
        post(f"{credit}/adjust", operation_id="adjustCredits", status_code=200)(credits_.adjust),
        get("/v1/keys", operation_id="listKeys")(keys.all),
        post("/v1/keys", operation_id="createKey")(keys.create),
        delete("/v1/keys/{reference:str}", operation_id="revokeKey", status_code=200)(keys.revoke),
        get("/v1/audit", operation_id="listAudit")(provider.audit),
        get("/v1/ingest", operation_id="getIngest")(tally.get),
    ]


def _session_routes(session: SessionRoutes) -> Routes:
    path = "/v1/session"
    return [
        post(path, operation_id="signIn", opt=access.OPEN)(session.create),
        get(path, operation_id="getSession", opt=access.SESSION)(session.get),
        delete(path, operation_id="signOut", opt=access.SESSION)(session.delete),
    ]


def _page(dashboard: DashboardRoutes) -> HTTPRouteHandler:
    reads = (HttpMethod.GET, HttpMethod.HEAD)
    return route(dashboard.paths, http_method=reads, opt=access.OPEN, include_in_schema=False)(dashboard.file)


def _service_routes(service: ServiceRoutes) -> Routes:
    """These need no key."""
    return [
        get("/health", operation_id="getHealth", opt=access.OPEN)(service.health),
        get("/ready", operation_id="getReady", opt=access.OPEN)(service.ready),
        get("/metrics", operation_id="getMetrics", opt=access.OPEN, media_type="text/plain")(service.metrics),
        get("/openapi.json", operation_id="getOpenapi", opt=access.OPEN)(service.openapi),
        get("/docs", operation_id="getDocs", opt=access.OPEN, media_type="text/html")(service.docs),
    ]
