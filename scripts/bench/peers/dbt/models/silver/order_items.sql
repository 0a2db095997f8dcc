{{ config(unique_key='id') }}
{{ newest_of(source('bronze', 'order_items'), 'id, order_id, product_id, quantity, unit_price, updated_at') }}
