"""Every operation of the API, as methods of the two clients.

Parameters and promises of each stand in the module it comes from.
"""

from meterhouse_sdk import (
    _customers,
    _holds,
    _limits,
    _metering,
    _meters,
    _plans,
    _products,
    _publish,
    _questions,
)
from meterhouse_sdk._holds import async_holding, async_reserving, holding, reserving
from meterhouse_sdk._methods import async_iterating, awaiting, blocking, iterating, recording


class BlockingOperations:
    """The methods of `Meterhouse`."""

    create_event = blocking(_publish.create_event)
    create_events = blocking(_publish.create_events)
    track_usage = blocking(_metering.track_usage)
    track_usage_bulk = blocking(_metering.track_usage_bulk)
    record_meter_event = blocking(_metering.record_meter_event)
    record_meter_events = blocking(_metering.record_meter_events)
    check_limits = blocking(_limits.check_limits)
    reserve = reserving(_holds.reserve)
    hold = holding(_holds.reserve)
    settle = blocking(_limits.settle)
    release = blocking(_limits.release)
    get_hold = blocking(_limits.get_hold)
    create_customer = blocking(_customers.create_customer)
    get_customer = blocking(_customers.get_customer)
    find_customer = blocking(_customers.find_customer)
    update_customer = blocking(_customers.update_customer)
    delete_customer = blocking(_customers.delete_customer)
    ensure_customer = blocking(_customers.ensure_customer)
    create_product = blocking(_products.create_product)
    list_products = blocking(_products.list_products)
    get_product = blocking(_products.get_product)
    update_product = blocking(_products.update_product)
    delete_product = blocking(_products.delete_product)
    clone_product = blocking(_products.clone_product)
    list_plans = blocking(_plans.list_plans)
    create_plan = blocking(_plans.create_plan)
    activate_plan = blocking(_plans.activate_plan)
    list_purchases = blocking(_plans.list_purchases)
    cancel_purchase = blocking(_plans.cancel_purchase)
    reactivate_purchase = blocking(_plans.reactivate_purchase)
    get_balance = blocking(_plans.get_balance)
    grant_credits = blocking(_plans.grant_credits)
    user_info = blocking(_plans.user_info)
    create_checkout_session = blocking(_plans.create_checkout_session)
    create_customer_session = blocking(_plans.create_customer_session)
    create_meter = blocking(_meters.create_meter)
    list_meters = blocking(_meters.list_meters)
    get_meter = blocking(_meters.get_meter)
    update_meter = blocking(_meters.update_meter)
    archive_meter = blocking(_meters.archive_meter)
    meter_usage = blocking(_meters.meter_usage)
    merchant = blocking(_products.merchant)
    platform_config = blocking(_products.platform_config)
    usage = blocking(_questions.usage)
    events = iterating(_questions.events)
    event = blocking(_questions.event)


class AwaitingOperations:
    """The methods of `AsyncMeterhouse`."""

    create_event = recording(_publish.create_event)
    create_events = recording(_publish.create_events)
    track_usage = recording(_metering.track_usage)
    track_usage_bulk = recording(_metering.track_usage_bulk)
    record_meter_event = recording(_metering.record_meter_event)
    record_meter_events = recording(_metering.record_meter_events)
    check_limits = awaiting(_limits.check_limits)
    reserve = async_reserving(_holds.reserve)
    hold = async_holding(_holds.reserve)
    settle = recording(_limits.settle)
    release = recording(_limits.release)
    get_hold = awaiting(_limits.get_hold)
    create_customer = awaiting(_customers.create_customer)
    get_customer = awaiting(_customers.get_customer)
    find_customer = awaiting(_customers.find_customer)
    update_customer = awaiting(_customers.update_customer)
    delete_customer = awaiting(_customers.delete_customer)
    ensure_customer = awaiting(_customers.ensure_customer)
    create_product = awaiting(_products.create_product)
    list_products = awaiting(_products.list_products)
    get_product = awaiting(_products.get_product)
    update_product = awaiting(_products.update_product)
    delete_product = awaiting(_products.delete_product)
    clone_product = awaiting(_products.clone_product)
    list_plans = awaiting(_plans.list_plans)
    create_plan = awaiting(_plans.create_plan)
    activate_plan = awaiting(_plans.activate_plan)
    list_purchases = awaiting(_plans.list_purchases)
    cancel_purchase = awaiting(_plans.cancel_purchase)
    reactivate_purchase = awaiting(_plans.reactivate_purchase)
    get_balance = awaiting(_plans.get_balance)
    grant_credits = awaiting(_plans.grant_credits)
    user_info = awaiting(_plans.user_info)
    create_checkout_session = awaiting(_plans.create_checkout_session)
    create_customer_session = awaiting(_plans.create_customer_session)
    create_meter = awaiting(_meters.create_meter)
    list_meters = awaiting(_meters.list_meters)
    get_meter = awaiting(_meters.get_meter)
    update_meter = awaiting(_meters.update_meter)
    archive_meter = awaiting(_meters.archive_meter)
    meter_usage = awaiting(_meters.meter_usage)
    merchant = awaiting(_products.merchant)
    platform_config = awaiting(_products.platform_config)
    usage = awaiting(_questions.usage)
    events = async_iterating(_questions.events)
    event = awaiting(_questions.event)
