{{ config(unique_key='id') }}
{{ newest_of(source('bronze', 'orders'), 'id, cart_id, user_id, status, total, created_at, updated_at') }}
